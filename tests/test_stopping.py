"""Runs that are stopped, killed, cut off from their reader or their disk.

They are processes that send themselves the signals, at a minibatch of a test's choice.
"""

import os
import re
import signal
import threading

import processes
import pytest
from conftest import needs_full

import logistic_cg
import logistic_sgd
from utils.training import checkpoint_file, model_file
from utils.training.example_order import ExampleOrder
from utils.training.monitor import Monitor, TrainingStopped
from utils.training.stop_signals import stopping

# 60 minibatches of SGD; of conjugate gradient, 10 in each evaluation.
TINY = ["--dataset", "tiny.npz", "--batch-size", "10", "--n-epochs", "6"]
CHECKPOINT = ["--checkpoint", "run.ckpt"]
PROGRAM = """
import importlib, os, resource, signal, sys, threading, time
from utils.training import Run

on_minibatch_end, count = Run.on_minibatch_end, 0

def counted(self, *arguments):
    global count
    count += 1
    {at_minibatch}
    on_minibatch_end(self, *arguments)

Run.on_minibatch_end = counted
script = importlib.import_module({script!r})
{before}
sys.exit(script.main(sys.argv[1:]))
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.fixture
def train(run, tiny_npz):
    """Run a script's ``main`` in the temporary folder, with statements put into it."""

    def call(script, *arguments, at_minibatch="pass", before="", **options):
        program = PROGRAM.format(
            script=script, at_minibatch=at_minibatch, before=before
        )
        return run("-c", program, *arguments, **options)

    return call


def lines(finished):
    return processes.lines(finished.stdout)


def stopped_in_the_sixth_epoch(train, script, name, status):
    """The lines of a run that stopped as it was asked to."""
    stopped = train(
        *[script, *TINY, *CHECKPOINT, "--quiet"],
        at_minibatch=f"if count == 55: os.kill(os.getpid(), signal.{name})",
        status=status,
    )
    (line,) = stopped.stderr.splitlines()
    assert re.fullmatch(
        rf"{script}.py: stopped by {name} in (epoch 6, minibatch 5/10|iteration \d)\. "
        r"The best model so far is that of (epoch|iteration) \d: validation error "
        r"[0-9.]+ %, test error [0-9.]+ %\. Resume with --resume run\.ckpt",
        line,
    )
    return lines(stopped)


def test_stopped_run_says_how_to_resume(train):
    printed = stopped_in_the_sixth_epoch(train, "logistic_sgd", "SIGINT", 130)
    assert sum(", validation error" in line for line in printed) == 5


def test_second_interrupt_ends_at_once(train, tmp_path):
    """The minibatch itself would take an hour."""
    stopped = train(
        *["logistic_sgd", *TINY, *CHECKPOINT],
        at_minibatch=f"if count == 25: {INTERRUPT}; threading.Timer(0.2, os.kill, "
        "[os.getpid(), signal.SIGINT]).start(); time.sleep(3600)",
        status=130,
    )
    assert "Traceback" not in stopped.stderr
    assert stopped.stderr.endswith("stopped by SIGINT at once; its files are whole\n")
    assert len(checkpoint_file.read(tmp_path / "run.ckpt")["history"]["epoch"]) == 2
    assert model_file.read(tmp_path / "best_model.pkl")["metadata"]["epoch"] <= 2


def test_stopped_while_it_loads_data(train):
    load = (
        "script.load_data = lambda *a, **k: (os.kill(os.getpid(), signal.SIGTERM), "
        "time.sleep(3600))"
    )
    stopped = train("logistic_sgd", *TINY, "--quiet", before=load, status=143)
    assert stopped.stderr == "logistic_sgd.py: stopped by SIGTERM outside of training\n"


def test_stopped_while_it_draws_the_orders_of_past_epochs(
    tiny_npz, tmp_path, monkeypatch
):
    """Of a stranger's checkpoint there may be so many that no minibatch comes."""

    def interrupted(self, epoch):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ExampleOrder, "set_epoch", interrupted)
    settings = {"dataset": tiny_npz, "batch_size": 10, "monitor": Monitor()}
    with pytest.raises(TrainingStopped, match="SIGINT outside of training"):
        with stopping(settings["monitor"], signal.SIGINT):
            logistic_sgd.sgd_optimization_mnist(0.5, 2, **settings, shuffle=3)


def test_handlers_are_those_of_before_outside_of_a_run():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(TrainingStopped, match="SIGTERM outside of training"):
        with stopping(Monitor(), signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), signal.SIGTERM)
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before


def test_main_works_outside_of_the_main_thread(tiny_npz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(logistic_cg.main(TINY)))
    thread.start()
    thread.join()
    assert statuses == [0]


def test_reader_that_goes_away_leaves_no_traceback(train):
    reader, pipe = os.pipe()
    os.close(reader)
    finished = train("logistic_cg", *TINY, "--quiet", stdout=pipe, status=141)
    os.close(pipe)
    assert finished.stderr == ""


@needs_full
def test_output_on_a_full_disk_is_one_line(train):
    with open("/dev/full", "w") as full:
        finished = train("logistic_sgd", *TINY, "--quiet", stdout=full)
    line = processes.error_line(finished)
    assert line.startswith("logistic_sgd.py: error: ") and "No space left" in line
