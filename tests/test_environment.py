"""Both scripts as processes, where home, folders, streams and locale are not as usual.

Each works, or says in one line what to do; none shows a traceback.
"""

import ctypes
import os

import pytest
from conftest import REPOSITORY, error_line

SCRIPTS = ["logistic_sgd.py", "logistic_cg.py"]
TINY = ["--batch-size", "10", "--n-epochs", "2", "--dataset"]
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


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


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


# PyTensor's compile cache and the home it is in


NO_FLAGS = {"PYTENSOR_FLAGS": None, "XDG_CACHE_HOME": None, "LOGREG_CACHE": None}


def assert_notice(finished, temporary, place):
    """One line, and nothing left in the folder that was used in place of `place`."""
    notice = finished.stderr.splitlines()[0]
    assert notice.startswith(f"PyTensor's compile cache {place}")
    assert "PYTENSOR_FLAGS=base_compiledir=FOLDER" in notice
    assert list(temporary.iterdir()) == []


@pytest.fixture
def temporary(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@needs_posix
def test_home_that_cannot_be_found(run_script, tmp_path, tiny_npz, temporary):
    """Of a user whom the system does not know, as in a container."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\n"
    )
    unknown = dict.fromkeys(("HOME", "USER", "LOGNAME"))
    environment = NO_FLAGS | unknown | {"PYTHONPATH": tmp_path, "TMPDIR": temporary}
    finished = run_script("logistic_sgd.py", *TINY, tiny_npz, environment=environment)
    assert_worked(finished, tmp_path / "folder")
    assert_notice(finished, temporary, os.devnull)


@needs_posix
def test_home_that_is_not_set(run_script, tmp_path, tiny_npz):
    environment = {"HOME": None, "XDG_CACHE_HOME": None}
    finished = run_script("logistic_sgd.py", *TINY, tiny_npz, environment=environment)
    assert_worked(finished, tmp_path / "folder")


@needs_posix
def test_home_that_is_read_only(run_script, tmp_path, tiny_npz, read_only, temporary):
    finished = run_script(
        *["logistic_sgd.py", *TINY, tiny_npz],
        environment=NO_FLAGS | {"HOME": read_only, "TMPDIR": temporary},
        preexec_fn=without_write_permission,
    )
    assert_worked(finished, tmp_path / "folder")
    assert_notice(finished, temporary, read_only)


@needs_posix
@pytest.mark.parametrize("script", SCRIPTS)
def test_home_that_is_a_file(run_script, tmp_path, tiny_npz, temporary, script):
    """As far as the dataset, for which it has to import PyTensor."""
    environment = NO_FLAGS | {"HOME": tiny_npz, "TMPDIR": temporary}
    finished = run_script(script, "--dataset", "missing", environment=environment)
    assert_notice(finished, temporary, tiny_npz)
    _, error = finished.stderr.splitlines()
    assert error.startswith(f"{script}: error: missing: expected a dataset")
    quiet = run_script(
        *[script, "--dataset", "missing", "--quiet"], environment=environment
    )
    assert quiet.stderr.splitlines() == [error]


def test_compile_cache_that_was_named_is_not_replaced(run_script, tmp_path, tiny_npz):
    place = tmp_path / "file" / "cache"
    place.parent.write_bytes(b"")
    environment = {"PYTENSOR_FLAGS": f"floatX=float32,base_compiledir={place}"}
    finished = run_script("logistic_sgd.py", *TINY, tiny_npz, environment=environment)
    line = error_line(finished)
    assert f"{place} cannot be used (Not a directory)" in line
    assert "PYTENSOR_FLAGS=base_compiledir=FOLDER" in line


@needs_posix
def test_working_folder_that_is_read_only(run_script, read_only, tiny_npz):
    finished = run_script(
        *["logistic_sgd.py", *TINY, tiny_npz, "--quiet"],
        cwd=read_only,
        preexec_fn=without_write_permission,
    )
    assert finished.returncode == 1
    assert "Optimization complete" in finished.stdout
    *_, line = finished.stderr.splitlines()
    assert "best_model.pkl: cannot be written (Permission denied)" in line
    assert "Traceback" not in finished.stderr


# The compiler


@needs_posix
@pytest.mark.parametrize(
    "compiler",
    [None, "exit 1", 'test "$1" = -v || { echo fatal error: no headers >&2; exit 1; }'],
)
def test_no_compiler_that_works(run_script, tmp_path, tiny_npz, compiler):
    """The default is then Numba, and C is refused in one line."""
    if compiler is not None:
        path = tmp_path / "g++"
        path.write_text(f"#!/bin/sh\n{compiler}\n")
        path.chmod(0o755)
    environment = {"PATH": tmp_path}
    finished = run_script("logistic_sgd.py", *TINY, tiny_npz, environment=environment)
    assert_worked(finished, tmp_path / "folder")
    refused = run_script(
        *["logistic_sgd.py", *TINY, tiny_npz, "--backend", "c"],
        environment=environment,
    )
    line = error_line(refused)
    assert "The C backend cannot be used: " in line and "backend numba" in line


# Python's options, threads


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("python", [["-O"], ["-W", "error"]])
def test_python_option(run_script, tmp_path, tiny_npz, script, python):
    finished = run_script(script, *TINY, tiny_npz, python=python)
    assert_worked(finished, tmp_path / "folder")


def test_every_warning_an_error_with_numba(run_script, tmp_path, tiny_npz):
    arguments = [*TINY, tiny_npz, "--backend", "numba"]
    finished = run_script("logistic_sgd.py", *arguments, python=["-W", "error"])
    assert_worked(finished, tmp_path / "folder")


@pytest.mark.parametrize("threads", [1, 64])
def test_threads(run_script, tmp_path, threads):
    """The bound is a hundred times what an idle machine of two cores takes."""
    finished = run_script(
        *["logistic_sgd.py", "--dataset", "digits", "--n-epochs", "20"],
        environment={"OMP_NUM_THREADS": threads},
    )
    assert_worked(finished, tmp_path / "folder")
    assert float(finished.stderr.split()[-1].rstrip("s")) < 10


# Names and locales


def test_names_with_spaces_and_letters_beyond_ascii(run_script, tmp_path, tiny_npz):
    place = tmp_path / "naïve größe 数"
    copy = place / "the code"
    for part in ("logistic_sgd.py", "logistic_cg.py", *REPOSITORY.glob("utils/**/*")):
        source = REPOSITORY / part
        if source.is_file() and source.suffix != ".pyc":
            target = copy / source.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    dataset = place / "ein Satz.npz"
    dataset.write_bytes(tiny_npz.read_bytes())
    environment = {"PYTENSOR_FLAGS": f"base_compiledir={place / 'compile cache'}"}
    environment |= {"HOME": place, "LOGREG_CACHE": place / "cache"}
    files = ["--model", "модель 1.pkl", "--checkpoint", "ein Lauf.ckpt"]
    for script in SCRIPTS:
        arguments = [*TINY, dataset, *files]
        finished = run_script(
            copy / script, *arguments, environment=environment, cwd=place
        )
        assert finished.returncode == 0, finished.stderr
        assert (place / "модель 1.pkl").is_file()
        resumed = run_script(
            *[copy / script, "--resume", "ein Lauf.ckpt", "--n-epochs", "3"],
            environment=environment,
            cwd=place,
        )
        assert resumed.returncode == 0, resumed.stderr
        (place / "модель 1.pkl").unlink()


@needs_posix
@pytest.mark.parametrize("script", SCRIPTS)
def test_locale_that_is_not_utf8(run_script, tmp_path, tiny_npz, script):
    name = tiny_npz.with_name("größe 数.npz")
    tiny_npz.rename(name)
    finished = run_script(script, *TINY, name, environment=ASCII_LOCALE)
    assert_worked(finished, tmp_path / "folder")


@needs_posix
@pytest.mark.parametrize(
    "environment", [ASCII_LOCALE, {"PYTHONIOENCODING": "ascii:strict"}]
)
def test_message_that_the_locale_cannot_show(run_script, environment):
    finished = run_script(
        "logistic_sgd.py", "--dataset", "größe.npz", environment=environment
    )
    line = error_line(finished)
    assert "gr\\" in line and "expected a dataset, found no such file" in line


@needs_posix
def test_compile_cache_that_the_locale_cannot_name(run_script, tmp_path, temporary):
    environment = NO_FLAGS | ASCII_LOCALE | {"TMPDIR": temporary}
    finished = run_script(
        *["logistic_sgd.py", "--dataset", "missing"],
        environment=environment | {"HOME": tmp_path / "größe"},
    )
    assert_notice(finished, temporary, "")
    notice, error = finished.stderr.splitlines()
    assert "PYTHONUTF8=1" in notice and "error: missing: expected a dataset" in error
