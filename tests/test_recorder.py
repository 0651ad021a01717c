"""Which stream a line goes to, and what a terminal is shown."""

import math
import os
import pty
import signal
import subprocess
import sys
import termios

import numpy as np
import pytest

from utils.recorder import DivergenceError, Recorder, TrainingStopped
from utils.training import TrainingState


def test_lines_on_standard_output_notices_on_standard_error(capsys):
    recorder = Recorder(quiet=False)
    recorder.say("a line")
    recorder.notice("a notice")
    assert capsys.readouterr() == ("a line\n", "a notice\n")


def test_quiet_silences_notices_only(capsys):
    recorder = Recorder(quiet=True)
    recorder.say("a line")
    recorder.notice("a notice")
    assert capsys.readouterr() == ("a line\n", "")


def test_no_bar_where_standard_error_is_no_terminal(capsys):
    with Recorder(quiet=False) as recorder:
        recorder.start(3, unit="minibatch")
        recorder.minibatch(TrainingState(), 0.5)
        recorder.validation(TrainingState(), 0.5)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal_and_lines_still_whole():
    program = (
        "from utils.recorder import Recorder\n"
        "from utils.training import TrainingState\n"
        "with Recorder(quiet=False) as recorder:\n"
        "    recorder.start(3, unit='minibatch')\n"
        "    recorder.minibatch(TrainingState(), 0.5)\n"
        "    recorder.validation(TrainingState(), 0.25)\n"
        "    recorder.say('a line')\n"
    )
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    run = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=slave, text=True
    )
    # Read before the last descriptor of the other end goes, and what it wrote with it.
    shown = os.read(master, 65536).decode()
    os.close(slave)
    os.close(master)
    assert run.returncode == 0
    assert run.stdout == "a line\n"
    assert "/3 [" in shown
    assert "validation error 25.00%" in shown


def running(state, **arguments):
    recorder = Recorder()
    recorder.start(None, "minibatch", state, **arguments)
    return recorder


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_cost_that_is_not_finite_ends_the_run(bad):
    state = TrainingState(epoch=3, iter=8)
    recorder = running(state, where=lambda: "epoch 3, minibatch 2/3")
    for cost in (0.5, np.float32(bad), 0.4):
        recorder.minibatch(state, cost)
    with pytest.raises(
        DivergenceError, match=r"became -?(nan|inf) \(epoch 3"
    ) as caught:
        recorder.check_costs(state, "a learning rate below 9")
    assert "try a learning rate below 9" in str(caught.value)
    assert not recorder.training


def test_divergence_names_the_best_model():
    state = TrainingState(epoch=3, best_validation_loss=0.25, best_epoch=2)
    recorder = running(state)
    recorder.minibatch(state, math.nan)
    with pytest.raises(DivergenceError, match=r"epoch 2: validation error 25\.0+ %"):
        recorder.check_costs(state, "something else")


def test_finite_costs_pass_and_are_looked_at_once():
    state = TrainingState()
    recorder = running(state)
    recorder.minibatch(state, np.array(2.5))
    recorder.check_costs(state, "")
    recorder.validation(state, 0.5)
    recorder.check_costs(state, "")
    assert [entry[:4] for entry in state.history] == [(0, -1, 2.5, 0.5)]


def test_of_costs_on_a_device_only_the_last_is_fetched():
    fetched = []

    class DeviceNumber:
        def __init__(self, value):
            self.value = value

        def __float__(self):
            fetched.append(self.value)
            return self.value

    state = TrainingState()
    recorder = running(state)
    for value in (3.0, 2.0, 1.0):
        recorder.minibatch(state, DeviceNumber(value))
    assert fetched == []
    recorder.check_costs(state, "")
    assert fetched == [1.0]


def test_stop_comes_at_the_next_minibatch_with_a_summary():
    state = TrainingState(epoch=4, iter=11, best_validation_loss=0.2, test_score=0.3)
    state.best_epoch = 3
    recorder = running(state, where=lambda: "epoch 4, minibatch 3/3")
    recorder.minibatch(state, 0.5)
    recorder.request_stop(signal.SIGTERM)
    with pytest.raises(TrainingStopped) as stopped:
        recorder.minibatch(state, 0.5)
    assert stopped.value.signal_number == signal.SIGTERM
    assert str(stopped.value) == (
        "stopped by SIGTERM in epoch 4, minibatch 3/3. The best model so far is that "
        "of epoch 3: validation error 20.000000 %, test error 30.000000 %. A run with "
        "--checkpoint PATH can be resumed."
    )


def test_seconds_go_on_from_the_history():
    state = TrainingState(history=[(1, 0, 0.5, 0.5, 0.5, 1000.0)])
    assert 1000 < running(state).seconds < 1060
