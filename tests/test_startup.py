"""What a script does before it imports PyTensor: signals, streams, settings."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY, error_line

from utils.backends import c_compiler
from utils.training import checkpoint_file, model_file

SCRIPTS = ["logistic_sgd.py", "logistic_cg.py"]
TINY = ["--batch-size", "10", "--n-epochs", "2", "--dataset"]
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


# Ctrl-C and SIGTERM while a script imports and compiles


@pytest.fixture
def start(tmp_path, warm_caches):
    """Start a script, of which each import is told on standard error as it ends."""
    started = []

    def call(script, *arguments, flags=warm_caches):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", REPOSITORY / script, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTENSOR_FLAGS": flags},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # What runs the tests in the background has them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


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
def test_signal_during_imports(start, number, module):
    """The process ends by the signal itself, which a shell shows as 130 and 143."""
    process = start("logistic_sgd.py", "--dataset", "digits")
    assert signalled(process, number, f" {module}") == []
    assert process.returncode == -number


@needs_posix
def test_signal_before_the_script_takes_over(start):
    """Between the last import and the handlers of the run, either may answer."""
    for delay in (0.0, 0.01, 0.05, 0.2):
        process = start("logistic_cg.py", "--dataset", "digits")
        errors = signalled(process, signal.SIGINT, " utils.training.monitor", delay)
        assert process.returncode in (-signal.SIGINT, 130)
        assert not any("Traceback" in line for line in errors)


@needs_posix
@pytest.mark.skipif(bool(c_compiler.find().error), reason="needs a C++ compiler")
def test_signals_during_compilation(start, tmp_path, tiny_npz):
    """Into one cache, empty at first, which the next run finds in order."""
    flags = f"base_compiledir={tmp_path / 'cold'}"
    command = ["logistic_sgd.py", *TINY, tiny_npz, "--backend", "c"]
    for number, delay in ((signal.SIGTERM, 0.1), (signal.SIGINT, 0.5)):
        process = start(*command, flags=flags)
        errors = signalled(process, number, "... compiling", delay)
        name = signal.Signals(number).name
        assert errors == [f"logistic_sgd.py: stopped by {name} outside of training"]
        assert process.returncode == 128 + number
    process = start(*command, flags=flags)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors


@needs_posix
def test_interrupt_that_was_ignored_stays_so():
    """As a shell sets it for what runs in the background."""
    program = (
        "import signal; from utils import startup; "
        "signal.signal(signal.SIGINT, signal.SIG_IGN); startup.prepare('x'); "
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)


# Standard streams that are closed


@needs_posix
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams(run_script, tmp_path, tiny_npz, script, closed):
    finished = run_script(
        *[script, *TINY, tiny_npz, "--checkpoint", "run.ckpt"],
        redirect=closed,
        python=["-W", "error"],
    )
    assert finished.returncode == 0, finished.stderr
    # What is told on one stream never goes to the other, nor into a file.
    told = "Optimization complete" in finished.stdout, "ran for" in finished.stderr
    words = closed.split()
    assert told == (">&-" not in words, "2>&-" not in words)
    assert "Traceback" not in finished.stderr and "ran for" not in finished.stdout
    folder = tmp_path / "folder"
    assert model_file.read(folder / "best_model.pkl")["metadata"]["epoch"] >= 1
    assert len(checkpoint_file.read(folder / "run.ckpt")["history"]["epoch"]) == 2


@needs_posix
def test_error_with_standard_error_closed(run_script):
    finished = run_script(
        "logistic_sgd.py", "--dataset", "missing.npz", redirect="2>&-"
    )
    assert finished.returncode == 1
    assert finished.stdout.splitlines() == ["... loading data"]
    assert finished.stderr == ""


def test_import_changes_nothing(warm_caches):
    """What prepares a script is not done to a program that imports it."""
    program = (
        "import os, signal, sys; before = dict(os.environ), sys.stderr, "
        "signal.getsignal(signal.SIGINT); import logistic_sgd, logistic_cg; "
        "assert before == (dict(os.environ), sys.stderr, "
        "signal.getsignal(signal.SIGINT))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | {"PYTENSOR_FLAGS": warm_caches},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr


# Settings


def test_threads_that_are_no_number(run_script):
    finished = run_script("logistic_sgd.py", environment={"OMP_NUM_THREADS": "many"})
    assert "OMP_NUM_THREADS is 'many': expected a whole number" in error_line(finished)
