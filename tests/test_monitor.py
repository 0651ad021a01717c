"""Which stream a line goes to, and what a terminal is shown."""

import os
import pty
import sys
import termios

import pytest

from utils.training import Monitor


@pytest.mark.parametrize("quiet, notices", [(False, "a notice\n"), (True, "")])
def test_lines_on_standard_output_notices_on_standard_error(quiet, notices, capsys):
    monitor = Monitor(quiet=quiet)
    monitor.say("a line")
    monitor.log("a notice")
    assert capsys.readouterr() == ("a line\n", notices)


def test_no_bar_where_standard_error_is_no_terminal(capsys):
    with Monitor(quiet=False) as monitor:
        monitor.start([], total=3)
        monitor.advance(1)
        monitor.show("validation error 25.00%")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [80, 40])
def test_bar_on_a_terminal_and_lines_still_whole(columns, run):
    program = (
        "from utils.training.monitor import Monitor\n"
        "with Monitor(quiet=False) as monitor:\n"
        "    monitor.start([], total=99999999, initial=50000000)\n"
        "    monitor.advance(1)\n"
        "    monitor.show('validation error 25.00%', 66666668)\n"
        "    monitor.say('a line')\n"
    )
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    os.set_blocking(master, False)
    finished = run("-c", program, stderr=slave)
    # Read before the last descriptor of the other end goes, and what it wrote with it.
    frames = os.read(master, 65536).decode().split("\r")
    os.close(slave)
    os.close(master)
    assert (finished.returncode, finished.stdout) == (0, "a line\n")
    assert max(map(len, frames)) < columns
    # Of 66,666,668 minibatches 50,000,001 are three quarters: 7.5 blocks of 10.
    assert any("validation error 25.00%:  75%|███████▌" in frame for frame in frames)
    whole = any(" 50000001/66666668 [" in frame for frame in frames)
    assert whole == (columns == 80)


def test_without_epoch_lines_only_those_around_the_training_are_printed(capsys):
    with Monitor(quiet=True, epoch_lines=False) as monitor:
        monitor.say("before")
        monitor.start([])
        monitor.say("epoch 1")
        monitor.close()
        monitor.say("after")
    assert capsys.readouterr() == ("before\nafter\n", "")


@pytest.mark.parametrize("quiet, notices", [(None, "a notice\n"), (True, "")])
def test_at_a_prompt_nobody_has_to_ask_for_notices(quiet, notices, capsys, monkeypatch):
    Monitor(quiet=None).log("of a program")
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    Monitor(quiet=quiet).log("a notice")
    assert capsys.readouterr() == ("", notices)


def test_seconds_continue_those_of_the_history():
    with Monitor() as monitor:
        monitor.start([(1, 0, 0.5, 0.5, 0.5, 1000.0)])
        assert 1000 < monitor.seconds < 1060
    assert monitor.seconds == monitor.seconds
