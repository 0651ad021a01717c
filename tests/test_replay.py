"""SciPy resumed from kept evaluations, against SciPy that was never stopped."""

import functools

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from utils.errors import CheckpointError
from utils.training.replay import Replay

START = np.array([1.3, 0.7, 0.8, 1.9, 1.2])


class NoReplay:
    """Passes both functions on as they are."""

    function = callback = staticmethod(lambda function: function)


def run(replay, iterations):
    """SciPy on Rosenbrock's function: the path's new steps, and new computations."""
    path, computed = [], []

    def function(theta):
        computed.append(theta)
        return rosen(theta), rosen_der(theta)

    minimize(
        replay.function(function),
        START,
        jac=True,
        method="CG",
        callback=replay.callback(lambda theta: path.append(theta.tobytes())),
        options={"maxiter": iterations},
    )
    return path, len(computed)


def unbroken(iterations):
    """The path without a replay: theta after each iteration."""
    return run(NoReplay, iterations)[0]


def test_recording_changes_nothing():
    replay = Replay()
    path, computed = run(replay, 9)
    assert path == unbroken(9)
    kept = replay.recorded()
    assert kept["digests"].shape == (computed, 32)
    assert kept["gradients"].shape == (computed, 5)
    assert kept["costs"][0] == rosen(START)


@pytest.mark.parametrize("iterations", [1, 4, 8])
def test_resumed_from_any_iteration(iterations):
    first = Replay()
    run(first, iterations)
    whole = Replay()
    _, all_computed = run(whole, 9)

    resumed = Replay()
    resumed.restore(first.recorded(), iterations, "run.ckpt")
    path, computed = run(resumed, 9)
    assert path == unbroken(9)[iterations:]
    assert computed == all_computed - len(first.recorded()["costs"])
    for name, values in whole.recorded().items():
        np.testing.assert_array_equal(resumed.recorded()[name], values)


def test_nothing_is_kept_where_nothing_is_asked_for():
    replay = Replay()
    replay.recording = False
    assert run(replay, 3)[0] == unbroken(3)
    assert len(replay.recorded()["costs"]) == 0


def test_another_start_is_refused():
    first = Replay()
    run(first, 3)
    resumed = Replay()
    resumed.restore(first.recorded(), 3, "run.ckpt")
    function = resumed.function(functools.partial(pytest.fail, "computed"))
    with pytest.raises(CheckpointError, match="run.ckpt: .* evaluation 1 of "):
        function(np.nextafter(START, 2))


@pytest.mark.parametrize(
    "change, found",
    [
        (lambda kept: kept["costs"].put(0, np.nan), "NaN or infinite"),
        (lambda kept: kept["gradients"].put(-1, np.inf), "NaN or infinite"),
        (lambda kept: kept.update({n: kept[n][:3] for n in kept}), "at least 4, .* 3"),
        (lambda kept: kept.clear(), "of equal number"),
        (lambda kept: kept.update(more=5), "of equal number"),
        (lambda kept: kept.update(costs=kept["costs"][1:]), "of equal number"),
        (lambda kept: kept.update(gradients=kept["gradients"].astype("f4")), "float32"),
        (lambda kept: kept.update(gradients=kept["gradients"][:, 1:]), "the theta of"),
        (lambda kept: kept.update(digests=kept["digests"][:, 1:]), "the theta of"),
    ],
)
def test_evaluations_of_no_run_are_refused(change, found):
    first, resumed = Replay(), Replay()
    run(first, 3)
    kept = first.recorded()
    change(kept)
    with pytest.raises(CheckpointError, match=f"run.ckpt: expected .*{found}"):
        resumed.restore(kept, 3, "run.ckpt")
        resumed.function(functools.partial(pytest.fail, "computed"))(START)
