"""Runs as processes that are stopped, killed, cut off from their reader or their disk.

They send themselves the signals, at a minibatch that the test chooses.
"""

import os
import re
import signal
import subprocess
import sys
import threading

import kill_and_resume
import pytest
from conftest import REPOSITORY

import logistic_cg
import logistic_sgd
from utils.cli.stop_signals import stopping
from utils.training import checkpoint_file, model_file
from utils.training.monitor import Monitor, TrainingStopped

SCRIPTS = ["logistic_sgd", "logistic_cg"]
DIGITS = ["--dataset", "digits", "--n-epochs", "6"]
CHECKPOINT = ["--checkpoint", "run.ckpt"]
PROGRAM = """
import importlib, os, resource, signal, sys, threading, time
from utils.training import monitor as monitor

# What runs the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
minibatch, count = monitor.Monitor.minibatch, 0

def counted(self, *arguments):
    global count
    count += 1
    {at_minibatch}
    minibatch(self, *arguments)

monitor.Monitor.minibatch = counted
script = importlib.import_module({script!r})
{before}
sys.exit(script.main(sys.argv[1:]))
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.fixture
def run(tmp_path):
    """Run a script in the temporary folder, with statements put into it."""

    def call(script, *arguments, at_minibatch="pass", before="", **options):
        program = PROGRAM.format(
            script=script, at_minibatch=at_minibatch, before=before
        )
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            text=True,
            timeout=120,
            **(streams | options),
        )

    return call


def lines(finished):
    return kill_and_resume.lines_of(finished.stdout)


@pytest.mark.parametrize(
    "script, name, status",
    [("logistic_sgd", "SIGINT", 130), ("logistic_cg", "SIGTERM", 143)],
)
def test_stopped_run_says_how_to_go_on_and_does(run, tmp_path, script, name, status):
    unbroken = lines(run(script, *DIGITS))
    expected = kill_and_resume.parameters(tmp_path)
    stopped = run(
        script,
        *DIGITS,
        *CHECKPOINT,
        "--quiet",
        at_minibatch=f"if count == 350: os.kill(os.getpid(), signal.{name})",
    )
    assert stopped.returncode == status
    (line,) = stopped.stderr.splitlines()
    assert re.fullmatch(
        rf"{script}.py: stopped by {name} in (epoch 6, minibatch 55/59|iteration \d)\. "
        r"The best model so far is that of epoch \d: validation error [0-9.]+ %, "
        r"test error [0-9.]+ %\. Go on with --resume run\.ckpt",
        line,
    )
    assert lines(stopped) == unbroken[: len(lines(stopped))]
    resumed = run(script, "--resume", "run.ckpt")
    assert resumed.returncode == 0, resumed.stderr
    assert lines(stopped) + lines(resumed) == unbroken
    assert kill_and_resume.parameters(tmp_path) == expected


def test_stopped_before_a_checkpoint(run, tmp_path):
    early = run("logistic_sgd", *DIGITS, *CHECKPOINT, at_minibatch=INTERRUPT)
    assert early.returncode == 130
    assert early.stderr.endswith(
        "stopped by SIGINT in epoch 1, minibatch 1/59. No model was good enough to be "
        "saved yet. There is no checkpoint yet.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_second_interrupt_ends_at_once(run, tmp_path):
    """The minibatch itself would take an hour."""
    stopped = run(
        "logistic_sgd",
        *DIGITS,
        *CHECKPOINT,
        at_minibatch=f"if count == 150: {INTERRUPT}; threading.Timer(1, os.kill, "
        "[os.getpid(), signal.SIGINT]).start(); time.sleep(3600)",
    )
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr
    assert stopped.stderr.endswith("stopped by SIGINT at once; its files are whole\n")
    assert len(checkpoint_file.read(tmp_path / "run.ckpt")["history"]["epoch"]) == 2
    assert model_file.read(tmp_path / "best_model.pkl")["metadata"]["epoch"] == 2


@pytest.mark.parametrize("name, status", [("SIGINT", 130), ("SIGTERM", 143)])
def test_stopped_while_it_loads_data(run, name, status):
    load = (
        f"script.load_data = lambda *a, **k: (os.kill(os.getpid(), signal.{name}), "
        "time.sleep(3600))"
    )
    stopped = run("logistic_sgd", *DIGITS, "--quiet", before=load)
    assert stopped.returncode == status
    assert stopped.stderr == f"logistic_sgd.py: stopped by {name} outside of training\n"


def test_signal_that_was_ignored_stays_so(run):
    """As a shell sets it for what runs in the background or under nohup."""
    finished = run(
        "logistic_sgd",
        *DIGITS,
        at_minibatch=f"if count == 100: {INTERRUPT}",
        before="signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )
    assert finished.returncode == 0
    assert lines(finished)[-1].startswith("The code run for 6 epochs")


def test_handlers_are_those_of_before_outside_of_a_run():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(TrainingStopped, match="SIGTERM outside of training"):
        with stopping(Monitor()):
            os.kill(os.getpid(), signal.SIGTERM)
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before


def test_training_functions_install_no_handlers(tiny_npz, tmp_path):
    found = []

    class Spy(Monitor):
        def minibatch(self, state, cost, count=1):
            super().minibatch(state, cost)
            found.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    logistic_sgd.sgd_optimization_mnist(
        n_epochs=1,
        dataset=tiny_npz,
        batch_size=10,
        model=tmp_path / "m.pkl",
        monitor=Spy(),
    )
    assert found == [before] * 10


def test_main_works_outside_of_the_main_thread(tiny_npz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    statuses = []
    arguments = ["--dataset", str(tiny_npz), "--batch-size", "10", "--n-epochs", "2"]
    thread = threading.Thread(
        target=lambda: statuses.append(logistic_cg.main(arguments))
    )
    thread.start()
    thread.join()
    assert statuses == [0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_reader_that_goes_away_leaves_no_traceback(run, script):
    reader, pipe = os.pipe()
    os.close(reader)
    finished = run(script, *DIGITS, "--quiet", stdout=pipe)
    os.close(pipe)
    assert finished.returncode == 141
    assert finished.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_on_a_full_disk_is_one_line(run):
    with open("/dev/full", "w") as full:
        finished = run("logistic_sgd", *DIGITS, "--quiet", stdout=full)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith("logistic_sgd.py: error: ") and "No space left" in line


@pytest.mark.parametrize("script", SCRIPTS)
def test_disk_full_in_the_middle_keeps_file_and_result(run, tmp_path, script):
    """From the 300th minibatch on no file may grow beyond 100 bytes."""
    unbroken = lines(run(script, *DIGITS))
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    finished = run(
        script,
        *DIGITS,
        *CHECKPOINT,
        "--quiet",
        at_minibatch=f"if count == 300: self._writer.wait(); {limit}",
    )
    assert finished.returncode == 1
    assert lines(finished) == unbroken
    *_, line = finished.stderr.splitlines()
    assert re.match(
        rf"{script}.py: error: .*: cannot be written \(File too large", line
    )
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"best_model.pkl", "run.ckpt"}
    kept = checkpoint_file.read(tmp_path / "run.ckpt")
    assert 1 <= len(kept["history"]["epoch"]) < 6

    resumed = run(script, "--resume", "run.ckpt")
    assert resumed.returncode == 0
    assert lines(resumed) == unbroken[-len(lines(resumed)) :]


@pytest.mark.parametrize("script", SCRIPTS)
def test_model_that_cannot_be_written(run, tmp_path, script):
    (tmp_path / "taken").mkdir()
    finished = run(script, *DIGITS, "--model", "taken")
    assert finished.returncode == 1
    assert any(line.startswith("Optimization complete") for line in lines(finished))
    message = "taken: cannot be written (expected the name of a file, which is a folder"
    first, *_, last = [line for line in finished.stderr.splitlines() if message in line]
    assert first.endswith("Training goes on.")
    assert last.startswith(f"{script}.py: error: ")


def test_learning_rate_that_is_too_large(run, tmp_path):
    finished = run("logistic_sgd", *DIGITS, "--learning-rate", "1e38", "--quiet")
    assert finished.returncode == 1
    *_, line = finished.stderr.splitlines()
    assert re.match(
        r"logistic_sgd.py: error: the cost of a minibatch became (nan|inf) \(epoch 1, "
        r"minibatch 59/59\): try a learning rate below 1e\+38\.",
        line,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_at_random_moments(script):
    kill_and_resume.kill_and_resume(
        f"{script}.py", 2, ["--dataset", "digits", "--n-epochs", "30"], seed=7
    )
