"""Both scripts as processes in unusual environments: what takes long, and variants."""

import re
import shutil

import pytensor
import pytest
from conftest import needs_compiler, needs_posix
from processes import CG, REPOSITORY, SCRIPTS, SGD, TINY, error_line, fake_compiler
from test_environment import (
    ASCII_LOCALE,
    NO_COMPILER,
    NO_FLAGS,
    assert_c_is_refused,
    assert_notice,
    assert_worked,
    without_write_permission,
)

# PyTensor's compile cache and the home it is in


@needs_posix
def test_home_that_is_read_only(run, tmp_path, tiny_npz, read_only, temporary):
    finished = run(
        *[SGD, *TINY, tiny_npz],
        environment=NO_FLAGS | {"HOME": read_only, "TMPDIR": temporary},
        preexec_fn=without_write_permission,
    )
    assert_worked(finished, tmp_path)
    assert_notice(finished, temporary, read_only)


@needs_posix
def test_home_that_is_a_file(run, tiny_npz, temporary):
    """As far as the dataset; a notice would be told but for --quiet."""
    environment = NO_FLAGS | NO_COMPILER | {"HOME": tiny_npz, "TMPDIR": temporary}
    line = error_line(run(SGD, "--dataset", "no", "--quiet", environment=environment))
    assert line.startswith(f"{SGD}: error: no: expected a dataset")
    assert list(temporary.iterdir()) == []


# The compiler


@needs_posix
@pytest.mark.parametrize(
    "compiler",
    ["exit 1", 'test "$1" = -v || { echo fatal error: no headers >&2; exit 1; }'],
)
def test_no_compiler_that_works(run, tmp_path, tiny_npz, compiler):
    """The default is then Numba, and C is refused in one line."""
    fake_compiler(tmp_path, compiler)
    finished = run(SGD, *TINY, tiny_npz, environment={"PATH": tmp_path})
    assert_worked(finished, tmp_path)
    assert_c_is_refused(run, tiny_npz, tmp_path)


# Python's options, threads


@pytest.mark.parametrize(
    "python, script, backend",
    [
        (["-OO"], SGD, "numba"),
        (["-OO"], CG, "auto"),
        # With the default backend, that of closed streams.
        (["-W", "error"], SGD, "numba"),
    ],
)
def test_python_option(run, tmp_path, tiny_npz, script, python, backend):
    command = script, *TINY, tiny_npz, "--backend", backend
    assert_worked(run(*command, python=python), tmp_path)


@pytest.mark.parametrize("threads", [1, 64])
def test_threads(run, tmp_path, threads):
    """The bound is a hundred times what an idle machine of two cores takes."""
    command = SGD, "--dataset", "digits", "--n-epochs", 20
    finished = run(*command, environment={"OMP_NUM_THREADS": threads})
    assert_worked(finished, tmp_path)
    assert float(finished.stderr.split()[-1].rstrip("s")) < 10


@pytest.mark.parametrize("variable, value", [("DISABLE_JIT", 1), ("NUM_THREADS", 0)])
def test_settings_of_numba_that_cannot_be(run, tiny_npz, variable, value):
    command = SGD, *TINY, tiny_npz, "--backend", "numba", "--quiet"
    line = error_line(run(*command, environment={f"NUMBA_{variable}": value}))
    assert "The backend numba cannot be used" in line and "begin with NUMBA_" in line


def test_learning_rate_that_is_too_large_where_warnings_are_errors(run, tmp_path):
    command = SGD, "--dataset", "digits", "--learning-rate", "1e39", "--quiet"
    line = error_line(run(*command, python=["-W", "error"]))
    assert re.match(
        r"logistic_sgd.py: error: the cost of a minibatch became (nan|inf) \(epoch 1, "
        r"minibatch 59/59\): try a learning rate below 1e\+39\.",
        line,
    )
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_openmp(run, tmp_path, tiny_npz):
    flags = f"base_compiledir={pytensor.config.base_compiledir},openmp=True"
    command = SGD, *TINY, tiny_npz, "--backend", "c"
    assert_worked(run(*command, environment={"PYTENSOR_FLAGS": flags}), tmp_path)


# Disks


@needs_posix
@pytest.mark.parametrize("backend", ["c", "numba"])
def test_compiling_without_room(run, tmp_path, tiny_npz, backend):
    resource, cold = pytest.importorskip("resource"), tmp_path / "cold"
    finished = run(
        *[SGD, *TINY, tiny_npz, "--backend", backend, "--quiet"],
        environment={"TMPDIR": tmp_path, "PYTENSOR_FLAGS": f"base_compiledir={cold}"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)),
    )
    line = error_line(finished)
    assert f"make room in {cold}" in line
    assert f" and {tmp_path} (" in line and "base_compiledir=FOLDER" in line


# Names and locales


def test_names_with_spaces_and_letters_beyond_ascii(run, tmp_path, tiny_npz):
    place = tmp_path / "naïve größe 数"
    copy = place / "the code"
    no_code = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "utils", copy / "utils", ignore=no_code)
    for script in SCRIPTS:
        shutil.copy(REPOSITORY / script, copy)
    dataset = place / "ein Satz.npz"
    dataset.write_bytes(tiny_npz.read_bytes())
    environment = {"PYTENSOR_FLAGS": f"base_compiledir={place / 'compile cache'}"}
    environment |= {"HOME": place, "LOGREG_CACHE": place / "cache"}
    files = ["--model", "модель 1.pkl", "--checkpoint", "ein Lauf.ckpt"]
    commands = [[copy / script, *TINY, dataset, *files] for script in SCRIPTS]
    commands += [[copy / CG, "--resume", "ein Lauf.ckpt", "--n-epochs", "3"]]
    for command in commands:
        run(*command, environment=environment, cwd=place, status=0)
        (place / "модель 1.pkl").unlink()


@needs_posix
def test_locale_that_is_not_utf8(run, tmp_path, tiny_npz):
    name = tiny_npz.with_name("größe 数.npz")
    tiny_npz.rename(name)
    assert_worked(run(CG, *TINY, name, environment=ASCII_LOCALE), tmp_path)


@needs_posix
def test_compile_cache_that_the_locale_cannot_name(run, tmp_path, temporary):
    environment = NO_FLAGS | NO_COMPILER | ASCII_LOCALE | {"TMPDIR": temporary}
    finished = run(
        *[SGD, "--dataset", "missing"],
        environment=environment | {"HOME": tmp_path / "größe"},
    )
    assert_notice(finished, temporary, "")
    notice, error = finished.stderr.splitlines()
    assert "PYTHONUTF8=1" in notice and "error: missing: expected a dataset" in error


@needs_posix
def test_working_folder_that_is_read_only(run, read_only, tiny_npz):
    finished = run(
        *[SGD, *TINY, tiny_npz, "--quiet"],
        cwd=read_only,
        preexec_fn=without_write_permission,
    )
    assert finished.stdout == ""
    line = error_line(finished)
    assert "best_model.pkl: cannot be written (Permission denied)" in line


@needs_posix
def test_names_that_the_output_cannot_encode(run, tmp_path, tiny_npz):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    name = "größe \x1b[31m\n\udcff"
    tiny_npz.rename(tmp_path / f"{name}.npz")
    ascii_only = {"environment": {"PYTHONIOENCODING": "ascii:strict"}, "status": 0}
    options = [[f"--{o}", name + o] for o in ("model", "report", "history", "plot")]
    run(SGD, *TINY, f"{name}.npz", *sum(options, []), **ascii_only)
    assert (tmp_path / f"{name}plot" / "learning_curve.png").is_file()
    assert r"\x1b[31m\n\udcff" in (tmp_path / f"{name}report").read_text("utf-8")
    shown = run(SGD, "--predict", "--model", f"{name}model", **ascii_only)
    assert shown.stdout.startswith("Predicted values for the first 10")
