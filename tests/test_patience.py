"""The tutorial's loop and its patience, on validation errors that are given to it."""

import math

import numpy as np
import pytest
from processes import published_rows

import logistic_sgd
from utils.training import Monitor, run


def write_dataset(n, n_test):
    x, y = np.zeros((n, 1), np.uint8), np.arange(n) % 2
    np.savez("d.npz", x_train=x, y_train=y, x_test=x[:n_test], y_test=y[:n_test])


@pytest.fixture
def train_on(tmp_path, monkeypatch):
    """Train with these errors after the epochs of 83 minibatches, the last again."""
    monkeypatch.chdir(tmp_path)
    write_dataset(99, 16)
    monkeypatch.setattr(run, "warm_up", lambda *functions: None)
    monkeypatch.setattr(run, "shared_variables", lambda *functions: [])

    def call(errors, test_errors=None, **settings):
        done = []

        def after_epoch(errors):
            return errors[min(math.ceil(len(done) / 83), len(errors)) - 1]

        functions = [
            lambda index: after_epoch(test_errors or errors),
            lambda index: after_epoch(errors),
            lambda index: done.append(index) or 0.5,
        ]

        def compiled(*arguments, **keywords):
            """In the order in which the script compiles them; the accuracy is last."""
            return functions.pop(0) if functions else lambda: 0.25

        monkeypatch.setattr(logistic_sgd.pytensor, "function", compiled)
        settings = {"dataset": "d.npz", "batch_size": 1} | settings
        return logistic_sgd.sgd_optimization_mnist(**settings), done

    return call


def test_published_errors_give_the_published_run(train_on, capsys):
    """Each published line, and the end: 74 epochs, 7.500000 and 7.489583 %.

    The last significant improvement of the published errors is at epoch 37, where
    iter = 37 * 83 - 1 = 3070: patience 6140 ends in epoch 74, whose first is 6059.
    """
    rows = published_rows("sgd_mnist.csv")
    test = [float(row["test_error_of_best_model_percent"] or 99) / 100 for row in rows]
    # Six digits: a new best may be printed like the one before.
    validation = [
        float(row["validation_error_percent"]) / 100 - 1e-12 * n * (test_error < 0.99)
        for n, (row, test_error) in enumerate(zip(rows, test, strict=True))
    ]
    result, done = train_on(validation, test)
    assert (result.n_epochs, result.best_epoch) == (74, 73)
    assert result.ended_because == (
        "patience ran out, no significant improvement since epoch 37"
    )
    assert len(done) == 6141
    expected = []
    for epoch, row in enumerate(rows, start=1):
        where = f"epoch {epoch}, minibatch 83/83"
        error, score = list(row.values())[1:]
        expected.append(f"{where}, validation error {error} %")
        if score:
            expected.append(f"     {where}, test error of best model {score} %")
    lines = capsys.readouterr().out.splitlines()[3:]
    assert lines[:-2] == expected
    assert lines[-2] == (
        "Optimization complete with best validation score of 7.500000 %,with test "
        "performance 7.489583 %"
    )
    assert lines[-1].startswith("The code run for 74 epochs, with ")


class Totals(Monitor):
    """Keeps what a progress bar would have as its total."""

    def __init__(self):
        super().__init__()
        self.totals = []

    def start(self, history, total=None, initial=0):
        super().start(history, total, initial)
        self.totals.append(total)

    def show(self, text, total=None):
        self.totals.append(total)


def at_epoch_40(error):
    """Nothing improves on 0.1 but epoch 40, whose iter is 3319."""
    return [0.1] * 39 + [error] + [0.2]


@pytest.mark.parametrize(
    "errors, best_epoch, n_minibatches",
    [
        # The first epoch is significant against infinity: 82 * 2 extends nothing.
        ([0.1], 1, 5001),
        (at_epoch_40(0.1), 1, 5001),
        (at_epoch_40(0.0996), 40, 5001),
        (at_epoch_40(0.0994), 40, 6639),
    ],
    ids=["none", "equal", "small", "significant"],
)
def test_significant_improvement_doubles_patience(
    errors, best_epoch, n_minibatches, train_on
):
    monitor = Totals()
    result, done = train_on(errors, monitor=monitor)
    assert result.best_epoch == best_epoch
    assert result.best_validation_loss == pytest.approx(min(errors))
    assert len(done) == n_minibatches
    # The bar's total, before the first epoch and after each of them.
    assert monitor.totals[:40] == [5001] * 40
    assert set(monitor.totals[40:]) == {n_minibatches}


def test_epochs_end_a_run_before_patience(train_on):
    result, done = train_on([0.1], n_epochs=3)
    assert result.ended_because == "all epochs done"
    assert len(done) == 3 * 83


@pytest.mark.parametrize("n_steps", [1, 2, 3, 83, 84, 5100])
def test_fixed_steps_end_and_validate_after_the_last(n_steps, train_on, capsys):
    """5,100 steps are more than patience 5,000 would allow."""
    monitor = Totals()
    result, done = train_on([0.1, 0.3], n_steps=n_steps, monitor=monitor)
    assert len(done) == n_steps
    assert set(monitor.totals) == {n_steps}
    assert result.ended_because == "all steps done"
    epochs = [*range(1, n_steps // 83 + 1)] + [n_steps // 83 + 1] * (n_steps % 83 > 0)
    assert [row[0] for row in result.history] == epochs
    assert result.history[-1][1] == n_steps - 1
    # The latest model is kept, though it is worse than the first.
    assert result.best_validation_loss == pytest.approx(0.1 if n_steps <= 83 else 0.3)
    assert result.best_epoch == result.n_epochs == epochs[-1]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("Optimization complete with latest validation score")
    assert lines[-1].startswith(f"The code run for {n_steps} steps, with ")


@pytest.mark.parametrize("settings", [{"n_epochs": 1}, {"n_steps": 5200}])
def test_many_minibatches_are_validated_within_an_epoch(settings, train_on):
    """Every 2,500 minibatches of the 5,200, half of the patience at the start."""
    write_dataset(6240, 9)
    result, _ = train_on([0.1], **settings)
    last = [5199] if "n_steps" in settings else []
    assert [row[1] for row in result.history] == [2499, 4999, *last]
