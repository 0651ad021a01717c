"""docs/lesson.md: its commands and experiments on MNIST print what it shows."""

import re
import shlex
from subprocess import STDOUT

from test_lesson import BLOCKS, is_output, run_block


def without_times(lines):
    """The lines with `#` for what differs from machine to machine."""
    pattern = r"\d+\.\d+(?= (?:epochs|steps)/sec)|(?<=ran for )\d+\.\d+"
    return [re.sub(pattern, "#", line) for line in lines]


def test_runs_print_what_is_shown(run, mnist_folder, tmp_path, monkeypatch):
    """Commands and experiments on MNIST, one after another in one folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    session = {}
    exec("import numpy as np", session)
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.info == "console":
            command, *shown = block.lines
            prompt, program, *arguments = shlex.split(command)
            assert (prompt, program) == ("$", "python")
            done = run(*arguments, stderr=STDOUT)
            assert done.returncode == 0, done.stdout
            printed = done.stdout.splitlines()
            assert is_output(without_times(shown), without_times(printed))
        elif block.info == "python try it on MNIST":
            assert run_block(block, session) == after.lines
