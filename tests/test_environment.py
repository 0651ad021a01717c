"""Both scripts as processes, where home, folders, streams and locale are not as usual.

Each works, or says in one line what to do; none shows a traceback.
"""

import ctypes
import os

import pytest
from conftest import needs_posix
from processes import CG, SGD, TINY, error_line

ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# Without a compiler, for which PyTensor would compile its own modules as well.
NO_COMPILER = {"PYTENSOR_FLAGS": "cxx="}
NO_FLAGS = {"PYTENSOR_FLAGS": None, "XDG_CACHE_HOME": None, "LOGREG_CACHE": None}


def assert_worked(finished, folder):
    assert finished.returncode == 0, finished.stderr
    assert "Optimization complete" in finished.stdout
    assert "Traceback" not in finished.stderr and "Warning" not in finished.stderr
    assert (folder / "best_model.pkl").is_file()


def without_write_permission():
    """In the process that is to be: root, too, is bound by permissions."""
    if os.geteuid() == 0:
        drop_from_bounding_set, dac_override = 24, 1
        ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override)


def assert_notice(finished, temporary, place):
    """One line, and nothing left in the folder that was used instead of `place`."""
    notice = finished.stderr.splitlines()[0]
    assert notice.startswith(f"PyTensor's compile cache {place}")
    assert "PYTENSOR_FLAGS=base_compiledir=FOLDER" in notice
    assert list(temporary.iterdir()) == []


@needs_posix
def test_home_that_cannot_be_found(run, tmp_path, temporary):
    """Of a user whom the system does not know, as in a container.

    As far as the dataset, for which the script has to import PyTensor.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\n"
    )
    unknown = dict.fromkeys(("HOME", "USER", "LOGNAME"))
    environment = NO_FLAGS | NO_COMPILER | unknown | {"TMPDIR": temporary}
    environment |= {"PYTHONPATH": tmp_path}
    finished = run(CG, "--dataset", "missing", environment=environment)
    assert_notice(finished, temporary, os.devnull)
    _, error = finished.stderr.splitlines()
    assert error.startswith(f"{CG}: error: missing: expected a dataset")
    assert finished.returncode == 1


def assert_c_is_refused(run, dataset, folder):
    command = SGD, *TINY, dataset, "--backend", "c"
    line = error_line(run(*command, environment={"PATH": folder}))
    assert "The C backend cannot be used: " in line and "backend numba" in line


@needs_posix
def test_no_compiler(run, tmp_path, tiny_npz):
    assert_c_is_refused(run, tiny_npz, tmp_path)


@needs_posix
@pytest.mark.parametrize(
    "environment",
    [ASCII_LOCALE, {"PYTHONIOENCODING": "ascii:strict"}],
    ids=["locale", "encoding"],
)
def test_message_that_cannot_be_shown(run, environment):
    line = error_line(run(SGD, "--dataset", "größe.npz", environment=environment))
    assert "gr\\" in line and "expected a dataset, found no such file" in line
