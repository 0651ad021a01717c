"""docs/lesson.ipynb: run again, it prints what it holds."""

import runpy

import pytest
from pytensor import config
from test_lesson import LESSON, NOTEBOOK, printed_by

pytest.importorskip("jupytext", reason="needs the extra `docs`")
pytest.importorskip("nbclient", reason="needs the extra `docs`")
nbformat = pytest.importorskip("nbformat", reason="needs the extra `docs`")


def test_notebook_prints_what_it_shows(mnist_folder, tmp_path, monkeypatch):
    """From an empty kernel, in a folder that holds nothing but the program."""
    monkeypatch.setenv("LOGREG_DATA", str(mnist_folder))
    monkeypatch.setenv("PYTENSOR_FLAGS", f"base_compiledir={config.base_compiledir}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [printed_by(cell) for cell in cells]
    runpy.run_path(str(LESSON.with_name("notebook.py")))["execute"](notebook, tmp_path)
    for cell, lines in zip(cells, shown, strict=True):
        assert printed_by(cell) == lines, cell.source
