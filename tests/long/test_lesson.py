"""docs/lesson.md: its commands and experiments on MNIST print what it shows."""

import os
import re
import shlex
import subprocess
import sys

from conftest import REPOSITORY
from test_lesson import BLOCKS, is_output, run_block


def without_times(lines):
    """The lines with `#` for what differs from machine to machine."""
    pattern = r"\d+\.\d+(?= (?:epochs|steps)/sec)|(?<=ran for )\d+\.\d+"
    return [re.sub(pattern, "#", line) for line in lines]


def test_runs_print_what_is_shown(mnist_folder, tmp_path, monkeypatch):
    """Commands and experiments on MNIST, one after another in one folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    session = {}
    exec("import numpy as np", session)
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.info == "console":
            command, *shown = block.lines
            assert is_output(without_times(shown), without_times(terminal(command)))
        elif block.info == "python try it on MNIST":
            assert run_block(block, session) == after.lines


def terminal(command):
    """What a command of the lesson shows in a terminal, without progress bar."""
    prompt, program, *arguments = shlex.split(command)
    assert (prompt, program) == ("$", "python")
    if arguments[0].endswith(".py"):
        arguments[0] = str(REPOSITORY / arguments[0])
    flags = os.environ.get("PYTENSOR_FLAGS", "").split(",")
    kept = [flag for flag in flags if "compiledir" in flag]
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ
        | {"PYTHONPATH": str(REPOSITORY), "PYTENSOR_FLAGS": ",".join(kept)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()
