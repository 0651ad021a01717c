"""The changes of docs/changing.md, each applied to the script as it is, and run."""

import functools

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from changed import changed_script, documented_changes
from cut_off import MIDDLE, check_resumed, cut_off
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

from logistic_sgd import sgd_optimization_mnist
from utils.errors import CheckpointError

CHANGES = documented_changes()


@pytest.fixture
def heading():
    """The change of the default run; tests/long has all of them."""
    return "Momentum"


@pytest.fixture
def script(heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pytensor.config, "floatX", "float32")
    return changed_script(tmp_path, *CHANGES[heading])


def test_resumed_run_is_the_unbroken_one(script, tiny_npz, capsys):
    """To the last byte of every parameter and every line."""
    sgd = script.sgd_optimization_mnist
    check_resumed(functools.partial(sgd, 0.1, 6, tiny_npz, 10), sgd, MIDDLE, capsys)


def test_checkpoint_of_another_training_is_refused(script, tiny_npz):
    """That of the lesson by the changed script, and the other way round."""
    functions = [sgd_optimization_mnist, script.sgd_optimization_mnist]
    for wrote, resumes in (functions, functions[::-1]):
        cut_off(functools.partial(wrote, 0.1, 6, tiny_npz, 10), MIDDLE)
        with pytest.raises(CheckpointError, match="of another: .*, in the checkpoint"):
            resumes(resume="run.ckpt")


def test_gradient_is_that_of_finite_differences(script, tiny_npz, monkeypatch):
    """Of the very expressions that the script differentiates, at a random point."""
    monkeypatch.setattr(pytensor.config, "floatX", "float64")
    taken, grad = [], T.grad

    def spy(cost, wrt):
        taken.append((cost, wrt, grad(cost, wrt)))
        return taken[-1][2]

    monkeypatch.setattr(T, "grad", spy)
    script.sgd_optimization_mnist(0.1, 1, tiny_npz, 10)
    ((cost, params, gradients),) = taken
    rng = np.random.default_rng(3)
    for param in params:
        param.set_value(rng.normal(scale=0.3, size=param.get_value().shape))
    free = [v for v in graph_inputs([cost]) if not isinstance(v, Constant)]
    givens = {"x": rng.uniform(size=(10, 12)), "y": rng.integers(3, size=10, dtype="i")}
    inputs = [v for v in free if v.name in givens]
    compute = pytensor.function(
        inputs, [cost, *gradients], mode=Mode("py", "fast_compile")
    )
    at = functools.partial(compute, **givens)
    for param, gradient in zip(params, at()[1:], strict=True):
        value = param.get_value()
        for index in rng.integers(value.shape, size=(5, value.ndim)):
            costs = []
            for shift in (1e-5, -1e-5):
                moved = value.copy()
                moved[tuple(index)] += shift
                param.set_value(moved)
                costs.append(at()[0])
            param.set_value(value)
            expected = (costs[0] - costs[1]) / 2e-5
            np.testing.assert_allclose(gradient[tuple(index)], expected, 1e-6, 1e-9)
