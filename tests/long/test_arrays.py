"""Training on arrays of floats, compiled for themselves, and the documented ways."""

import re

import numpy as np
import pytest
from conftest import REPOSITORY
from cut_off import in_folder
from test_arrays import (
    check_resumed_on_arrays,
    standardised,
    test_training_is_that_of_a_file,
    three,
)

from utils import datasets
from utils.training import model_file

__all__ = ["test_training_is_that_of_a_file"]


@pytest.fixture
def script():
    """The script of the tests that are imported."""
    return "cg"


def test_resumed_run_is_the_unbroken_one(
    script, tiny_arrays, tmp_path, monkeypatch, capsys
):
    x, y = tiny_arrays
    x = standardised(x)
    check_resumed_on_arrays(script, x, y, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda x: x, None),
        (lambda x: x / 255, None),
        (lambda x: x > 99, None),
        (standardised, [-127.3 / 50, 127.7 / 50]),
        (lambda x: x.astype(float), [0, 255]),
    ],
)
def test_model_of_floats_beyond_0_to_1_keeps_their_range(
    change, expected, tiny_arrays, tmp_path, monkeypatch
):
    x, y = tiny_arrays
    x[0, 0], x[1, 1] = 0, 255
    in_folder("sgd", three(change(x), y), tmp_path, monkeypatch)(1)
    found = model_file.read("best_model.pkl")["metadata"].get("feature_range")
    assert found == (expected and pytest.approx(expected, rel=1e-6))


EXAMPLES = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
LOADTXT, PANDAS, SAVEZ = re.findall(r"^```python\n(.*?)^```$", EXAMPLES, re.M | re.S)


@pytest.fixture
def digits_csv(tiny_arrays, tmp_path, monkeypatch):
    """A file of that name in the current folder; returns its rows."""
    monkeypatch.chdir(tmp_path)
    x, y = tiny_arrays
    rows = np.column_stack([y, x])
    names = ",".join(["label", *(f"pixel{i}" for i in range(12))])
    np.savetxt("digits.csv", rows, "%d", delimiter=",", header=names, comments="")
    return rows.tolist()


def test_documented_example_of_a_csv_file(digits_csv, capsys):
    found = {}
    exec(LOADTXT.replace("batch_size=None", "batch_size=None, n_epochs=2"), found)
    assert "The code run for 2 epochs" in capsys.readouterr().out
    exec(SAVEZ, found)
    x, y = (
        np.concatenate(parts) for parts in zip(*datasets.load("mine.npz"), strict=True)
    )
    rows = np.column_stack([y, x * 256])
    assert sorted(rows.tolist()) == sorted(digits_csv) != rows.tolist()


def test_documented_example_of_pandas(digits_csv):
    pytest.importorskip("pandas", reason="an example for those who have it")
    found = {}
    exec(PANDAS, found)
    splits = datasets.load((found["x"], found["y"]), dtype="uint8")
    x, y = (np.concatenate(parts) for parts in zip(*splits, strict=True))
    rows = np.column_stack([y, x]).tolist()
    assert sorted(rows) == sorted(digits_csv) != rows
