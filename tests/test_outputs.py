"""--plot: checked before the training, drawn after it, by both scripts."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from pytensor import config

import logistic_cg
import logistic_sgd
from utils import files
from utils.files import WriteError, atomic

SCRIPTS = {"sgd": logistic_sgd, "cg": logistic_cg}
PICTURES = {
    f"{name}.{kind}"
    for name in ("weights", "learning_curve", "confusion", "mistakes")
    for kind in ("png", "svg")
}


@pytest.fixture(params=SCRIPTS)
def main(request, tiny_npz, tmp_path, monkeypatch):
    """Call a script on the tiny dataset, in the temporary folder."""
    monkeypatch.chdir(tmp_path)
    dataset = ["--dataset", str(tiny_npz), "--batch-size", "20"]

    def call(*arguments):
        with config.change_flags(floatX=config.floatX):
            return SCRIPTS[request.param].main([*dataset, *arguments])

    return call


def test_pictures_and_history_in_a_new_folder(main, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    assert main("--n-epochs", "2", "--plot", "new/plots", "--history", "h.csv") == 0
    folder = tmp_path / "new" / "plots"
    assert {path.name for path in folder.iterdir()} == PICTURES | {"history.csv"}
    assert (folder / "history.csv").read_bytes() == (tmp_path / "h.csv").read_bytes()
    out, notices = capsys.readouterr()
    assert "new/plots" not in out
    for name in PICTURES:
        assert f"... wrote new/plots/{name}\n" in notices


def test_without_plot_matplotlib_is_not_imported(main, monkeypatch):
    # None in sys.modules makes any import of it fail.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main("--n-epochs", "1", "--history", "h.csv") == 0


def test_missing_matplotlib_is_told_before_training(
    main, monkeypatch, capsys, tmp_path
):
    for name in [
        name for name in sys.modules if name.startswith("utils.report.figures")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main("--plot", "plots") == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"logistic_\w+.py: error: --plot needs matplotlib.*"
        r"`python -m pip install -e '\.\[plot\]'`\.\n",
        error,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npz"]


def test_backend_that_matplotlib_does_not_know_is_one_line(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    bad = subprocess.run(
        [sys.executable, REPOSITORY / "logistic_sgd.py", "--plot", "plots"],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "nonesuch"},
        capture_output=True,
        text=True,
    )
    assert bad.returncode == 1 and bad.stdout == ""
    (line,) = bad.stderr.splitlines()
    assert "nonesuch" in line and line.endswith("unset MPLBACKEND.")


@pytest.mark.parametrize(
    "folder, message",
    [("tiny.npz", "tiny.npz: cannot be made .*name a folder"), ("", "cannot be made")],
)
def test_folder_that_cannot_be_is_told_before_training(main, capsys, folder, message):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    assert main("--plot", folder) == 1
    out, error = capsys.readouterr()
    assert out == "" and re.search(message, error)
    assert len(error.splitlines()) == 1


def test_folder_without_permission(tmp_path, monkeypatch):
    def refuse(path, *arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(WriteError, match=r"cannot be written to \(Permission denied\)"):
        files.make_folder(tmp_path)


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
    for place, message in [
        (tmp_path, "is a folder"),
        (old / "x", "folder that exists"),
    ]:
        with pytest.raises(WriteError, match=message):
            files.check_writable(place)
