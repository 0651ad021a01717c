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

from utils.training import TrainingState
from utils.training.monitor import DivergenceError, Monitor, TrainingStopped


def test_lines_on_standard_output_notices_on_standard_error(capsys):
    monitor = Monitor(quiet=False)
    monitor.say("a line")
    monitor.log("a notice")
    assert capsys.readouterr() == ("a line\n", "a notice\n")


def test_quiet_silences_notices_only(capsys):
    monitor = Monitor(quiet=True)
    monitor.say("a line")
    monitor.log("a notice")
    assert capsys.readouterr() == ("a line\n", "")


def test_no_bar_where_standard_error_is_no_terminal(capsys):
    with Monitor(quiet=False) as monitor:
        monitor.start(3, unit="minibatch")
        monitor.minibatch(TrainingState(), 0.5)
        monitor.validation(TrainingState(), 0.5)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal_and_lines_still_whole():
    program = (
        "from utils.training.monitor import Monitor\n"
        "from utils.training import TrainingState\n"
        "with Monitor(quiet=False) as monitor:\n"
        "    monitor.start(3, unit='minibatch')\n"
        "    monitor.minibatch(TrainingState(), 0.5)\n"
        "    monitor.validation(TrainingState(), 0.25)\n"
        "    monitor.say('a line')\n"
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
    monitor = Monitor()
    monitor.start(None, "minibatch", state, **arguments)
    return monitor


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_cost_that_is_not_finite_ends_the_run(bad):
    state = TrainingState(epoch=3, iter=8)
    monitor = running(state, where=lambda: "epoch 3, minibatch 2/3")
    for cost in (0.5, np.float32(bad), 0.4):
        monitor.minibatch(state, cost)
    with pytest.raises(
        DivergenceError, match=r"became -?(nan|inf) \(epoch 3"
    ) as caught:
        monitor.check_costs(state, "a learning rate below 9")
    assert "try a learning rate below 9" in str(caught.value)
    assert not monitor.training


def test_divergence_names_the_best_model():
    state = TrainingState(epoch=3, best_validation_loss=0.25, best_epoch=2)
    monitor = running(state)
    monitor.minibatch(state, math.nan)
    with pytest.raises(DivergenceError, match=r"epoch 2: validation error 25\.0+ %"):
        monitor.check_costs(state, "something else")


def test_finite_costs_pass_and_are_looked_at_once():
    state = TrainingState()
    monitor = running(state)
    monitor.minibatch(state, np.array(2.5))
    monitor.check_costs(state, "")
    monitor.validation(state, 0.5)
    monitor.check_costs(state, "")
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
    monitor = running(state)
    for value in (3.0, 2.0, 1.0):
        monitor.minibatch(state, DeviceNumber(value))
    assert fetched == []
    monitor.check_costs(state, "")
    assert fetched == [1.0]


def test_stop_comes_at_the_next_minibatch_with_a_summary():
    state = TrainingState(epoch=4, iter=11, best_validation_loss=0.2, test_score=0.3)
    state.best_epoch = 3
    monitor = running(state, where=lambda: "epoch 4, minibatch 3/3")
    monitor.minibatch(state, 0.5)
    monitor.request_stop(signal.SIGTERM)
    with pytest.raises(TrainingStopped) as stopped:
        monitor.minibatch(state, 0.5)
    assert stopped.value.signal_number == signal.SIGTERM
    assert str(stopped.value) == (
        "stopped by SIGTERM in epoch 4, minibatch 3/3. The best model so far is that "
        "of epoch 3: validation error 20.000000 %, test error 30.000000 %. A run with "
        "--checkpoint PATH can be resumed."
    )


def test_seconds_go_on_from_the_history():
    state = TrainingState(history=[(1, 0, 0.5, 0.5, 0.5, 1000.0)])
    assert 1000 < running(state).seconds < 1060
