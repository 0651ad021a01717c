"""The lesson's notebook and the exercises, run on MNIST, print what they show."""

import io
import itertools
import runpy
import shlex
from contextlib import redirect_stderr, redirect_stdout

import pytest
from pytensor import config
from test_lesson import (
    EXERCISES,
    LESSON,
    NOTEBOOK,
    blocks,
    is_output,
    printed_by,
    run_block,
    without_times,
)

import logistic_sgd


def test_notebook_prints_what_it_shows(mnist_folder, tmp_path, monkeypatch):
    """From an empty kernel, in a folder that holds nothing but the program."""
    for package in "jupytext", "nbclient":
        pytest.importorskip(package, reason="needs the extra `docs`")
    import nbformat

    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    monkeypatch.setenv("PYTENSOR_FLAGS", f"base_compiledir={config.base_compiledir}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [printed_by(cell) for cell in cells]
    runpy.run_path(str(LESSON.with_name("notebook.py")))["execute"](notebook, tmp_path)
    for cell, lines in zip(cells, shown, strict=True):
        assert printed_by(cell) == lines, cell.source


def test_exercises_print_what_they_show(mnist_folder, tmp_path, monkeypatch):
    """Each answer after the first block alone, so that any order is right."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    session = {}
    exec("import numpy as np", session)
    for block, after in itertools.pairwise([*blocks(EXERCISES), None]):
        if block.info == "console":
            command, *shown = block.lines
            head, arguments = command[:24], shlex.split(command[24:])
            assert head == "$ python logistic_sgd.py"
            printed = io.StringIO()
            with redirect_stdout(printed), redirect_stderr(printed):
                assert logistic_sgd.main(arguments) == 0
            printed = without_times(printed.getvalue().splitlines())
            assert is_output(without_times(shown), printed), block
        elif block.info == "python try it on MNIST":
            names = session.copy() if "train" in session else session
            shown = after.lines if after.info == "text" else []
            assert is_output(shown, run_block(block, names)), block
            assert all(names[name] is value for name, value in session.items()), block
