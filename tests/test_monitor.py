"""Which stream a line goes to, and what a terminal is shown."""

import os
import pty
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


def test_bar_on_a_terminal_and_lines_still_whole(run):
    program = (
        "from utils.training.monitor import Monitor\n"
        "with Monitor(quiet=False) as monitor:\n"
        "    monitor.start([], total=3)\n"
        "    monitor.advance(1)\n"
        "    monitor.show('validation error 25.00%')\n"
        "    monitor.say('a line')\n"
    )
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    os.set_blocking(master, False)
    finished = run("-c", program, stderr=slave)
    # Read before the last descriptor of the other end goes, and what it wrote with it.
    shown = os.read(master, 65536).decode()
    os.close(slave)
    os.close(master)
    assert (finished.returncode, finished.stdout) == (0, "a line\n")
    assert "/3 [" in shown
    assert "validation error 25.00%" in shown


def test_seconds_continue_those_of_the_history():
    with Monitor() as monitor:
        monitor.start([(1, 0, 0.5, 0.5, 0.5, 1000.0)])
        assert 1000 < monitor.seconds < 1060
    assert monitor.seconds == monitor.seconds
