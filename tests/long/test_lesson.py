"""Commands and experiments on MNIST, of the lesson and the exercises, print what is
shown."""

import itertools
import re
import shlex
from subprocess import STDOUT

from test_lesson import EXERCISES, blocks, both_pages, is_output, run_block


def without_times(lines):
    """The lines with `#` for what differs from machine to machine."""
    pattern = r"\d+\.\d+(?= (?:epochs|steps)/sec)|(?<=ran for )\d+\.\d+"
    return [re.sub(pattern, "#", line) for line in lines]


@both_pages
def test_runs_print_what_is_shown(page, run, mnist_folder, tmp_path, monkeypatch):
    """One after another in one folder; of the exercises, each after the first alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    session = {}
    exec("import numpy as np", session)
    for block, after in itertools.pairwise([*blocks(page), None]):
        if block.info == "console":
            command, *shown = block.lines
            prompt, program, *arguments = shlex.split(command)
            assert (prompt, program) == ("$", "python")
            done = run(*arguments, stderr=STDOUT)
            assert done.returncode == 0, done.stdout
            printed = done.stdout.splitlines()
            assert is_output(without_times(shown), without_times(printed))
        elif block.info == "python try it on MNIST":
            alone = page == EXERCISES and "train" in session
            names = session.copy() if alone else session
            shown = after.lines if after.info == "text" else []
            assert is_output(shown, run_block(block, names)), block
            # So that the answers are right in any order, too.
            assert all(names[name] is value for name, value in session.items()), block
