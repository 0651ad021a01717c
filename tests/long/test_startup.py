"""Signals while a script imports and compiles, and closed streams, in all forms."""

import signal

import pytest
from conftest import needs_compiler, needs_full, needs_posix
from processes import CG, SGD, TINY
from test_startup import assert_told, signalled, start_importing

from utils.training import model_file

__all__ = ["start_importing"]


@needs_posix
def test_signal_before_the_script_takes_over(start_importing):
    """Between the last import and the handlers of the run, either may answer."""
    for delay in (0.0, 0.01, 0.05, 0.2):
        process = start_importing(CG, "--dataset", "digits")
        errors = signalled(process, signal.SIGINT, " utils.training.monitor", delay)
        assert process.returncode in (-signal.SIGINT, 130)
        assert not any("Traceback" in line for line in errors)


@needs_posix
@needs_compiler
def test_signals_during_compilation(start_importing, tmp_path, tiny_npz):
    """Into one cache, empty at first, which the next run finds in order."""
    cold = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'cold'}"}
    command = SGD, *TINY, tiny_npz, "--backend", "c"
    for number, delay in ((signal.SIGTERM, 0.1), (signal.SIGINT, 0.5)):
        process = start_importing(*command, environment=cold)
        errors = signalled(process, number, "... compiling", delay)
        name = signal.Signals(number).name
        assert errors == [f"{SGD}: stopped by {name} outside of training"]
        assert process.returncode == 128 + number
    process = start_importing(*command, environment=cold)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors


@needs_posix
@pytest.mark.parametrize("script, closed", [(CG, "2>&-"), (CG, ">&-"), (SGD, "<&-")])
def test_closed_streams(run, tmp_path, tiny_npz, script, closed):
    command = script, *TINY, tiny_npz, "--checkpoint", "run.ckpt"
    finished = run(*command, redirect=closed, python=["-W", "error"])
    assert_told(finished, tmp_path, closed)


@needs_posix
def test_error_with_standard_error_closed(run):
    finished = run(SGD, "--dataset", "missing.npz", redirect="2>&-")
    assert finished.returncode == 1
    assert finished.stdout.splitlines() == ["... loading data"]
    assert finished.stderr == ""


@needs_full
def test_standard_error_on_a_full_disk(run, tmp_path, tiny_npz):
    finished = run(CG, *TINY, tiny_npz, redirect="2>/dev/full", status=0)
    assert "Optimization complete" in finished.stdout
    assert model_file.read(tmp_path / "best_model.pkl")["metadata"]["epoch"] >= 1
