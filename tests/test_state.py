"""The patience rule, the checks of hyperparameters, the minibatch counts."""

import math

import pytest

from utils.training import (
    HyperparameterError,
    TrainingState,
    check_hyperparameters,
    minibatch_counts,
)


def test_state_first_validation_is_best_and_keeps_patience():
    state = TrainingState(epoch=1, iter=82)
    assert state.is_new_best(0.5)
    assert state.patience == 5000
    assert (state.best_validation_loss, state.best_epoch) == (0.5, 1)


def test_state_significant_improvement_doubles_patience():
    state = TrainingState(epoch=40, iter=3000, best_validation_loss=0.1)
    assert state.is_new_best(0.0994)
    assert state.patience == 6000


def test_state_small_improvement_is_best_without_patience():
    state = TrainingState(epoch=40, iter=3000, best_validation_loss=0.1)
    assert state.is_new_best(0.0996)
    assert state.patience == 5000
    assert state.best_validation_loss == 0.0996


def test_state_equal_error_is_not_new():
    state = TrainingState(epoch=40, iter=3000, best_validation_loss=0.1, best_epoch=2)
    assert not state.is_new_best(0.1)
    assert state.best_epoch == 2


def test_state_nan_is_never_best():
    state = TrainingState(epoch=1, iter=5)
    assert not state.is_new_best(math.nan)
    assert state.best_epoch == 0


@pytest.mark.parametrize("iter, over", [(4999, False), (5000, True), (5001, True)])
def test_state_out_of_patience(iter, over):
    assert TrainingState(iter=iter).out_of_patience is over


def test_published_stop_is_epoch_74():
    """From the published curve alone: patience 5000, 83 minibatches an epoch.

    The last significant improvement of the published errors is at epoch 37, where
    iter = 37 * 83 - 1 = 3070: patience 6140 ends in epoch 74, whose first is 6059.
    """
    state = TrainingState(best_validation_loss=0.07843750, epoch=37, iter=3070)
    assert state.is_new_best(0.07802083)
    assert state.patience == 6140
    assert 73 * 83 <= state.patience < 74 * 83


@pytest.mark.parametrize("name", ["n_epochs", "batch_size"])
@pytest.mark.parametrize("value", [0, -3, 2.5, math.nan, True, "7"])
def test_hyperparameters_not_whole_or_positive(name, value):
    arguments = {"n_epochs": 1, "batch_size": 1} | {name: value}
    with pytest.raises(HyperparameterError, match=f"{name} is .*whole number"):
        check_hyperparameters(**arguments)


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf, "fast"])
def test_hyperparameters_learning_rate(value):
    with pytest.raises(HyperparameterError, match="learning_rate is .*above 0"):
        check_hyperparameters(n_epochs=1, batch_size=1, learning_rate=value)


def test_hyperparameters_usual_ones_pass():
    check_hyperparameters(n_epochs=1000, batch_size=600, learning_rate=0.13)
    check_hyperparameters(n_epochs=1, batch_size=None)


def test_minibatch_counts_of_mnist():
    assert minibatch_counts([50_000, 10_000, 10_000]) == (600, 83, 16, 16)


def test_minibatch_counts_default_of_a_small_set():
    assert minibatch_counts([1197, 300, 300]) == (20, 59, 15, 15)


def test_minibatch_counts_given_size_is_kept():
    assert minibatch_counts([1197, 300, 300], 300) == (300, 3, 1, 1)


def test_minibatch_counts_too_large_names_both_sizes():
    with pytest.raises(ValueError, match="301 .*validation split, which holds 300"):
        minibatch_counts([1197, 300, 300], 301)
