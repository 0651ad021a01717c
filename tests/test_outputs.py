"""Outputs of a run, by both scripts: checked before the training, written after it."""

import csv
import re
import sys

import numpy as np
import pytest
from processes import error_line

import logistic_cg
import logistic_sgd
from utils import files

SCRIPTS = {"sgd": logistic_sgd, "cg": logistic_cg}
PICTURES = {
    f"{name}.{kind}"
    for name in ("weights", "learning_curve", "confusion", "mistakes")
    for kind in ("png", "svg")
}


@pytest.fixture
def call(tiny_npz, tmp_path, monkeypatch):
    """Call a script on the tiny dataset, in the temporary folder."""
    monkeypatch.chdir(tmp_path)
    dataset = ["--dataset", str(tiny_npz), "--batch-size", "20"]

    def call(script, *arguments):
        return SCRIPTS[script].main([*dataset, *arguments])

    return call


def test_everything_that_a_run_can_leave(call, tmp_path, capsys):
    """A run of 7 minibatches, 5 an epoch, leaves its latest model, not its best."""
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    arguments = ["--n-steps", "7", "--floatX", "float32", "--history", "h.csv"]
    arguments += ["--plot", "new/plots", "--report", "my report.html"]
    assert call("sgd", *arguments) == 0
    out, log = capsys.readouterr()
    folder = tmp_path / "new" / "plots"
    assert {path.name for path in folder.iterdir()} == PICTURES | {"history.csv"}
    assert (folder / "history.csv").read_bytes() == (tmp_path / "h.csv").read_bytes()
    for name in [*(f"new/plots/{name}" for name in PICTURES), "my report.html"]:
        assert f"... wrote {name}\n" in log and name not in out

    with open(tmp_path / "h.csv", newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["iteration"] for row in history] == ["5", "7"]
    printed = re.findall(r", validation error ([\d.]+) %", out)
    assert [f"{float(row['validation_error']) * 100:f}" for row in history] == printed

    page = (tmp_path / "my report.html").read_text(encoding="utf-8")
    facts = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td></tr>', page))
    assert facts["backend"] in ("c", "numba")
    assert (facts["NumPy"], facts["floatX"]) == (np.__version__, "float32")
    assert "python logistic_sgd.py --dataset" in page
    assert "--report &#x27;my report.html&#x27;" in page
    assert "latest model: step 7<" in page and "best epoch" not in page
    # Above the outlines of each text, SVG has it as a comment.
    curves = (folder / "learning_curve.svg").read_text()
    assert "<!-- Latest model: step 7 (dashed)" in curves and "Best" not in curves


def test_without_plot_matplotlib_is_not_imported(call, monkeypatch):
    # None in sys.modules makes any import of it fail.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert call("sgd", "--n-epochs", "1", "--history", "h.csv") == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_missing_matplotlib_is_told_before_training(
    call, script, monkeypatch, capsys, tmp_path
):
    for name in list(sys.modules):
        if name.startswith("utils.report.figures"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert call(script, "--plot", "plots") == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"logistic_\w+.py: error: --plot needs matplotlib.*"
        r"`python -m pip install -e '\.\[plot\]'`\.\n",
        error,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npz"]


def test_backend_that_matplotlib_does_not_know_is_one_line(run):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    unknown = {"MPLBACKEND": "nonesuch"}
    bad = run("logistic_sgd.py", "--plot", "plots", environment=unknown)
    assert bad.stdout == ""
    assert re.search(r"nonesuch.* unset MPLBACKEND\.$", error_line(bad))


def test_making_and_checking_leave_no_trace(tmp_path):
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    old = tmp_path / "old"
    old.write_bytes(b"old")
    files.check_writable(old)
    files.check_writable(tmp_path / "new")
    assert old.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "old"]
