"""The archive, the wheel, and what Git leaves out; tests from the archive."""

import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from processes import REPOSITORY, SGD

import utils

BUILD = (
    "from setuptools import build_meta\n"
    "print(build_meta.build_sdist('.'), build_meta.build_wheel('.'), sep='\\n')"
)


@pytest.fixture
def tracked():
    """The files of the repository, as Git knows them."""
    command = "git", "-C", REPOSITORY, "ls-files", "-z"
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs a checkout, and Git")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(listed.strip("\0").split("\0"))


def copied(names, folder):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)


def test_archive_and_wheel_are_whole(tmp_path, tracked):
    pytest.importorskip("setuptools", minversion="77")
    copy, unpacked = tmp_path / "copy", tmp_path / "unpacked"
    copied(tracked, copy)
    build = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=copy, capture_output=True, text=True
    )
    assert build.returncode == 0, build.stderr
    *_, archive, wheel = build.stdout.split()
    full_name = f"logistic_regression_tutorial-{utils.__version__}"
    assert archive == f"{full_name}.tar.gz" and wheel.startswith(f"{full_name}-")

    with tarfile.open(copy / archive) as file:
        file.extractall(unpacked, filter="data")
    root = unpacked / full_name
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    held = {path.as_posix() for path in files if ".egg-info" not in path.parts[0]}
    assert held == tracked | {"PKG-INFO"}

    installed = {n for n in tracked if n.startswith(("utils/", "logistic_"))}
    with zipfile.ZipFile(copy / wheel) as file:
        in_wheel = {n for n in file.namelist() if ".dist-info/" not in n}
    assert in_wheel == installed and "utils/py.typed" in in_wheel

    tests = "tests/test_tiles.py", "tests/test_lesson.py"
    command = sys.executable, "-m", "pytest", "-q", "-n", "0", *tests
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_git_ignores_what_a_run_leaves(run, tmp_path, tracked):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    copied(tracked, tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    files = "--checkpoint run.ckpt --history history.csv --plot plots --report".split()
    training = "--dataset", "digits", "--n-epochs", "2"
    run(tmp_path / SGD, *training, *files, "report.html", status=0)
    assert (tmp_path / "plots" / "weights.svg").is_file()
    command = "git", "ls-files", "--others", "--exclude-standard"
    left = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert left.stdout == b""
