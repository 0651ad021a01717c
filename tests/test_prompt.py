"""Training functions at a prompt: an interrupt gives the result so far."""

import os
import signal
import sys

import pytest
from cut_off import MIDDLE, TRAININGS, in_folder, resume, saved

from utils.training import Monitor, TrainingStopped


class Interrupter(Monitor):
    """Presses Ctrl-C at a minibatch, once or more often."""

    def __init__(self, at, times=1):
        super().__init__(quiet=True)
        self.at, self.times, self.count = at, times, 0

    def advance(self, n_minibatches):
        self.count += 1
        if self.count == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def train(tiny_npz, tmp_path, monkeypatch):
    """SGD with 10 minibatches an epoch."""
    return in_folder("sgd", tiny_npz, tmp_path, monkeypatch)


@pytest.fixture
def prompt(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)


@pytest.fixture(autouse=True)
def same_handler():
    """Whatever happened, Ctrl-C afterwards does what it did before."""
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", TRAININGS)
def test_interrupt_gives_the_result_so_far_and_the_run_resumes(
    name, tiny_npz, tmp_path, monkeypatch, capsys, prompt
):
    train = in_folder(name, tiny_npz, tmp_path, monkeypatch)
    unbroken = train(model="unbroken.pkl", monitor=Monitor(quiet=True))
    capsys.readouterr()
    result = train(checkpoint="run.ckpt", monitor=Interrupter(MIDDLE))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{result.ended_because.replace('in', 'by SIGINT in', 1)}. ")
    assert line.endswith(". Resume with resume='run.ckpt'")
    n_done = len(result.history)
    assert 1 <= n_done < len(unbroken.history)
    errors = [row[3] for row in unbroken.history]
    assert [row[3] for row in result.history] == errors[:n_done]
    assert result.best_validation_loss == min(errors[:n_done])
    assert resume(name).ended_because == unbroken.ended_because
    assert saved("best_model.pkl") == saved("unbroken.pkl")


@pytest.mark.parametrize(
    "at, times, message",
    [
        (5, 1, r"in epoch 1, minibatch 6/10\. No model was good enough to be saved"),
        (25, 2, "at once; its files are whole"),
    ],
)
def test_interrupt_that_leaves_no_result(at, times, message, train, prompt):
    with pytest.raises(TrainingStopped, match=f"^stopped by SIGINT {message}") as error:
        train(monitor=Interrupter(at, times))
    # What IPython shows.
    assert error.value._render_traceback_() == [str(error.value)]


def test_error_at_a_prompt_stays_an_error(train, prompt):
    monitor = Monitor(quiet=True)
    monitor.advance = lambda n_minibatches: 1 / 0
    with pytest.raises(ZeroDivisionError):
        train(monitor=monitor)
    assert not monitor.training


def test_interrupt_of_a_program_is_an_interrupt(train):
    with pytest.raises(KeyboardInterrupt) as error:
        train(monitor=Interrupter(MIDDLE))
    assert error.type is KeyboardInterrupt
