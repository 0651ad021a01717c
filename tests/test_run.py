"""A run's state: costs that are not finite, requests to stop, what is passed on."""

import math
import signal

import numpy as np
import pytensor.tensor as T
import pytest
from pytensor import config
from small_files import make_splits, model_bytes

from logistic_cg import cg_optimization_mnist
from logistic_sgd import LogisticRegression, sgd_optimization_mnist
from utils.errors import DivergenceError
from utils.training import Monitor, Run, TrainingStopped


@pytest.fixture
def run():
    """A run in its fourth epoch of 3 minibatches, the best of which was the third."""
    run = Run("minibatch SGD", "d.npz", 9, 10, 0.5, monitor=Monitor())
    run.n_batches, run.epoch, run.iter, run.best_epoch = [3, 1, 1], 4, 11, 3
    run.best_validation_loss, run.test_score = 0.2, 0.3
    run._checkpoint = type("NoCheckpoint", (), {"path": None, "trained_by": "SGD"})
    run.monitor.start(run.history)
    return run


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_cost_that_is_not_finite_ends_the_run(bad, run):
    for cost in (0.5, np.float32(bad), 0.4):
        run.on_minibatch_end(cost)
    with pytest.raises(DivergenceError) as caught:
        run.check_costs("a learning rate below 9")
    assert str(caught.value) == (
        f"the cost of a minibatch became {bad} (epoch 4, minibatch 3/3): try a "
        "learning rate below 9. The best model so far is that of epoch 3: validation "
        "error 20.000000 %, test error 30.000000 %."
    )
    assert not run.monitor.training


def test_model_that_is_not_finite_is_not_saved(run, tmp_path):
    """In a script that does not look at its costs."""
    old = run.arguments["model"] = tmp_path / "m.pkl"
    old.write_bytes(b"old")
    run.n_in, run.n_out, run._about_data = 4, 3, {}
    classifier = LogisticRegression(T.matrix("x"), 4, 3)
    classifier.b.set_value(np.array([0, math.nan, 0], classifier.b.dtype))
    with pytest.raises(DivergenceError, match="minibatch 3/3 has parameters that are"):
        run.save(classifier)
    run.monitor.files.wait()
    assert run.monitor.files.failed == {}
    assert old.read_bytes() == b"old" and run.best_epoch == 3


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of the rate
@pytest.mark.parametrize("end", [{"n_epochs": 1}, {"n_steps": 1}])
def test_last_update_that_overflows_leaves_the_old_model(end, tmp_path, capsys):
    old = tmp_path / "m.pkl"
    old.write_bytes(model_bytes())
    before = old.read_bytes()
    files = {"model": old, "checkpoint": tmp_path / "c"}
    data = make_splits((20, 20, 20))
    message = r"W became NaN or infinite .epoch 1, .* try a learning rate below 1e\+39"
    with config.change_flags(floatX="float32"):
        with pytest.raises(DivergenceError, match=message):
            sgd_optimization_mnist(1e39, dataset=data, batch_size=20, **files, **end)
    assert old.read_bytes() == before and not files["checkpoint"].exists()
    assert "validation error" not in capsys.readouterr().out


def test_finite_costs_pass_and_are_looked_at_once(run):
    run.on_minibatch_end(np.array(2.5))
    run.check_costs("")
    run.on_validation_end(0.5)
    run.check_costs("")
    assert [entry[:5] for entry in run.history] == [(4, 11, 2.5, 0.5, 0.3)]


def test_cost_of_many_minibatches_is_their_mean(run):
    run.on_minibatch_end(np.float64(12.0), 4)
    run.on_validation_end(0.5)
    assert run.history[0][2] == 3.0


def test_of_costs_on_a_device_only_the_last_is_fetched(run):
    fetched = []

    class DeviceNumber:
        def __init__(self, value):
            self.value = value

        def __float__(self):
            fetched.append(self.value)
            return self.value

    for value in (3.0, 2.0, 1.0):
        run.on_minibatch_end(DeviceNumber(value))
    assert fetched == []
    run.check_costs("")
    assert fetched == [1.0]


def test_stop_comes_at_the_next_minibatch_with_a_summary(run):
    run.on_minibatch_end(0.5)
    run.monitor.request_stop(signal.SIGTERM)
    with pytest.raises(TrainingStopped) as stopped:
        run.on_minibatch_end(0.5)
    assert stopped.value.signal_number == signal.SIGTERM
    assert str(stopped.value) == (
        "stopped by SIGTERM in epoch 4, minibatch 3/3. The best model so far is that "
        "of epoch 3: validation error 20.000000 %, test error 30.000000 %. A run with "
        "--checkpoint PATH can be resumed."
    )


@pytest.mark.parametrize(
    "train, setting",
    [
        (cg_optimization_mnist, "learning_rate"),
        (cg_optimization_mnist, "shuffle"),
        (cg_optimization_mnist, "n_steps"),
        (sgd_optimization_mnist, "cluster"),
        (sgd_optimization_mnist, "shards"),
        (sgd_optimization_mnist, "shufle"),
    ],
)
def test_setting_of_the_other_function_is_named(train, setting):
    with pytest.raises(TypeError, match=f"got an unexpected argument '{setting}'"):
        train(**{setting: 3})
