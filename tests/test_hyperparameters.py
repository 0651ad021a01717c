"""The checks of hyperparameters, and the minibatch counts."""

import math
from fractions import Fraction

import pytest

from utils.errors import HyperparameterError
from utils.training.hyperparameters import check_hyperparameters, minibatch_counts


@pytest.mark.parametrize(
    "name, least", [("n_epochs", 1), ("batch_size", 1), ("shuffle", 0), ("n_steps", 1)]
)
@pytest.mark.parametrize("value", [0, -3, 2.5, math.nan, True, "7"])
def test_hyperparameters_not_whole_or_too_small(name, least, value):
    arguments = {"n_epochs": 1, "batch_size": 1} | {name: value}
    if value is least:
        value = arguments[name] = least - 1
    message = f"{name} is .*whole number of at least {least}"
    with pytest.raises(HyperparameterError, match=message):
        check_hyperparameters(**arguments)


@pytest.mark.parametrize("digits", [50, 700, 5000])
@pytest.mark.parametrize("name", ["n_epochs", "batch_size", "shuffle", "n_steps"])
def test_numbers_of_many_digits_are_refused_and_not_repeated(name, digits):
    """A checkpoint or a model that held them could not be read again."""
    arguments = {"n_epochs": 1} | {name: 10**digits}
    with pytest.raises(HyperparameterError, match=f"{name} is .* below 2") as caught:
        check_hyperparameters(**arguments)
    assert len(str(caught.value)) < 130


HUGE = 10**400, Fraction(1, 10**400), Fraction(10**5000)  # no floats


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf, "fast", *HUGE])
def test_hyperparameters_learning_rate(value):
    with pytest.raises(HyperparameterError, match="learning_rate is .*above 0"):
        check_hyperparameters(n_epochs=1, batch_size=1, learning_rate=value)


def test_minibatch_counts_of_mnist_of_a_small_set_and_of_a_given_size():
    assert minibatch_counts([50_000, 10_000, 10_000]) == (600, 83, 16, 16)
    assert minibatch_counts([1197, 300, 300]) == (20, 59, 15, 15)
    assert minibatch_counts([1197, 300, 300], 300) == (300, 3, 1, 1)
