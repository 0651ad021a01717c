"""Scripts before they import PyTensor: signals, streams, settings; and as modules."""

import os
import signal
import subprocess
import time

import pytensor
import pytest
from conftest import needs_full, needs_posix
from processes import CG, REPOSITORY, SGD, TINY, error_line

from utils.cli import startup
from utils.training import checkpoint_file, model_file

# Ctrl-C and SIGTERM while a script imports and compiles


@pytest.fixture
def start_importing(start):
    """Start a script, of which each import is told on standard error as it ends."""

    def call(*command, **options):
        return start(
            *command, python=["-X", "importtime"], stdout=subprocess.DEVNULL, **options
        )

    return call


def signalled(process, number, text, delay=0.0):
    """Send a signal once standard error shows a text; the lines that then follow."""
    assert any(text in line for line in process.stderr)
    time.sleep(delay)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return [line for line in errors.splitlines() if not line.startswith("import time:")]


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "module",
    ["numpy.version", "numpy\n", "pytensor.configparser", "pytensor.graph.basic"],
)
def test_signal_during_imports(start_importing, number, module):
    """The process ends by the signal itself, which a shell shows as 130 and 143."""
    process = start_importing(SGD, "--dataset", "digits")
    assert signalled(process, number, f" {module}") == []
    assert process.returncode == -number


def test_interrupt_that_was_ignored_stays_so(run):
    """As a shell sets it for what runs in the background."""
    run(
        "-c",
        "import signal; from utils.cli import startup; "
        "signal.signal(signal.SIGINT, signal.SIG_IGN); startup.prepare('__main__'); "
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN",
        status=0,
    )


# Standard streams that are closed


def assert_told(finished, folder, closed):
    """What is told on one stream never goes to the other, nor into a file."""
    assert finished.returncode == 0, finished.stderr
    told = "Optimization complete" in finished.stdout, "ran for" in finished.stderr
    words = closed.split()
    assert told == (">&-" not in words, "2>&-" not in words)
    assert "Traceback" not in finished.stderr and "ran for" not in finished.stdout
    assert model_file.read(folder / "best_model.pkl")["metadata"]["epoch"] >= 1
    assert len(checkpoint_file.read(folder / "run.ckpt")["history"]["epoch"]) == 2


@needs_posix
def test_closed_streams(run, tmp_path, tiny_npz):
    closed = "<&- >&- 2>&-"
    command = SGD, *TINY, tiny_npz, "--checkpoint", "run.ckpt"
    finished = run(*command, redirect=closed, python=["-W", "error"])
    assert_told(finished, tmp_path, closed)


@needs_full
def test_remark_on_a_full_disk_is_dropped(run):
    """Also where so many were dropped that no buffer would hold them."""
    program = (
        "import sys; from utils.cli import startup; startup._outlive_standard_error()\n"
        "for _ in range(9): print('x' * 9999, file=sys.stderr, flush=True)"
    )
    run("-c", program, redirect="2>/dev/full", status=0)


@needs_posix
def test_remarks_that_nobody_reads_end_a_run_as_a_signal_would(run, tiny_npz):
    reader, pipe = os.pipe()
    os.close(reader)
    run(SGD, *TINY, tiny_npz, stderr=pipe, status=141)
    os.close(pipe)


# Imports


def test_help_without_docstrings(run):
    shown = run(SGD, "--help", python=["-OO"], status=0).stdout
    assert "--learning-rate" in shown


def test_import_changes_nothing(run):
    """What prepares a script is not done to a program that imports it."""
    run(
        "-c",
        "import os, signal, sys; before = dict(os.environ), sys.stderr, "
        "signal.getsignal(signal.SIGINT); import logistic_sgd, logistic_cg; "
        "assert before == (dict(os.environ), sys.stderr, "
        "signal.getsignal(signal.SIGINT))",
        status=0,
    )


def test_changed_copy_runs_itself(run, tmp_path, tiny_npz):
    text = (REPOSITORY / SGD).read_text("utf-8")
    changed = text.replace("... building the model", "... building my own model")
    assert changed != text
    (tmp_path / "my_copy.py").write_text(changed, "utf-8")
    command = tmp_path / "my_copy.py", *TINY, tiny_npz
    trained = run(*command, environment={"PYTHONPATH": REPOSITORY}, status=0)
    assert trained.stdout.splitlines()[1] == "... building my own model"


@pytest.mark.parametrize("name", ["logistic_sgd", "my-copy", "copy.of.mine"])
def test_class_of_a_script_belongs_to_its_module(run, tmp_path, name):
    """A pickle of what belongs to ``__main__`` opens in no other process."""
    (tmp_path / f"{name}.py").write_text(
        "import sys\n"
        "from utils.cli import startup\n"
        "class Model: pass\n"
        "def main():\n"
        "    print(Model.__module__, sys.modules[Model.__module__].Model is Model)\n"
        "    return 7\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(startup.run_as_module(__file__))\n"
    )
    path = {"PYTHONPATH": REPOSITORY}
    ran = run(tmp_path / f"{name}.py", environment=path, status=7)
    assert ran.stdout == f"{name} True\n"


# Settings


@pytest.mark.parametrize(
    "given, kept",
    [("4,2", "4"), (" 3 , 2,1 ", "3"), ("8", "8"), ("", None), (" ", None)],
)
def test_threads_are_those_of_the_outer_level(monkeypatch, given, kept):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    startup._find_threads(SGD)
    assert os.environ.get("OMP_NUM_THREADS") == kept


@pytest.mark.parametrize("given", ["many", "4,", ",4", "0", "-1", "1.5", "9" * 12])
def test_threads_that_are_no_number(monkeypatch, given):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    with pytest.raises(SystemExit, match=f"OMP_NUM_THREADS is '{given}': expected a "):
        startup._find_threads(SGD)


@pytest.mark.parametrize(
    "flags, message",
    [
        ("floatX=banana", "setting floatX cannot be used (Invalid value ('banana')"),
        ("mode=banana", "setting mode cannot be used (Expected one of "),
        ("compile__wait=1s", "setting compile__wait cannot be used (invalid literal"),
        ("compiledir_format=%(x)s", "setting compiledir cannot be used ('x')"),
        ("cxx='g++", "settings cannot be used (No closing quotation)"),
        ("foo=bar", "settings cannot be used (PyTensor does not recognise this flag: "),
        ("openmp", "settings cannot be used (Config key 'openmp' has no value"),
    ],
)
def test_flag_that_pytensor_refuses(run, flags, message):
    flags = f"base_compiledir={pytensor.config.base_compiledir},{flags}"
    line = error_line(run(SGD, "--help", environment={"PYTENSOR_FLAGS": flags}))
    assert line.startswith(f"{SGD}: error: PyTensor's {message}")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"floatX = float32", "no section headers"),
        (b"[global]\nfloatX = \xff", "codec can't decode"),
        (b"[global]\nfloatX = banana", "setting floatX cannot be used"),
    ],
)
def test_settings_file_that_pytensor_refuses(run, tmp_path, content, message):
    settings = tmp_path / "pytensorrc"
    settings.write_bytes(content)
    line = error_line(run(CG, environment={"PYTENSORRC": settings}))
    assert line.startswith(f"{CG}: error: PyTensor's setting") and message in line


def test_script_may_have_any_name(tmp_path):
    script = tmp_path / "my.model v2"
    script.write_text("def main():\n    return __name__, __file__")
    assert startup.run_as_module(str(script)) == ("my", str(script))
