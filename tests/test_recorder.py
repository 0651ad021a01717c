"""Which stream a line goes to, and what a terminal is shown."""

import os
import pty
import subprocess
import sys
import termios

from utils.recorder import Recorder
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
