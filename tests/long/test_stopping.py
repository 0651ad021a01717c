"""Runs that are stopped, killed or cut off, of both scripts."""

import re

import kill_and_resume
import pytest
from test_stopping import (
    CHECKPOINT,
    DIGITS,
    INTERRUPT,
    assert_resumed_as_unbroken,
    lines,
    train,
)

from utils.training import checkpoint_file

__all__ = ["train"]

SCRIPTS = ["logistic_sgd", "logistic_cg"]


def test_stopped_conjugate_gradient_says_how_to_resume_and_does(train, tmp_path):
    assert_resumed_as_unbroken(train, tmp_path, "logistic_cg", "SIGTERM", 143)


def test_stopped_before_a_checkpoint(train, tmp_path):
    early = train("logistic_sgd", *DIGITS, *CHECKPOINT, at_minibatch=INTERRUPT)
    assert early.returncode == 130
    assert early.stderr.endswith(
        "stopped by SIGINT in epoch 1, minibatch 1/59. No model was good enough to be "
        "saved yet. There is no checkpoint yet.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_signal_that_was_ignored_stays_so(train):
    """As a shell sets it for what runs in the background or under nohup."""
    finished = train(
        "logistic_sgd",
        *DIGITS,
        at_minibatch=f"if count == 100: {INTERRUPT}",
        before="signal.signal(signal.SIGINT, signal.SIG_IGN)",
    )
    assert finished.returncode == 0
    assert lines(finished)[-1].startswith("The code run for 6 epochs")


@pytest.mark.parametrize("script", SCRIPTS)
def test_disk_full_in_the_middle_keeps_file_and_result(train, tmp_path, script):
    """From the 300th minibatch on no file may grow beyond 100 bytes."""
    unbroken = lines(train(script, *DIGITS))
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    finished = train(
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

    resumed = train(script, "--resume", "run.ckpt")
    assert resumed.returncode == 0
    assert lines(resumed) == unbroken[-len(lines(resumed)) :]


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_at_random_moments(script):
    kill_and_resume.kill_and_resume(
        f"{script}.py", 2, ["--dataset", "digits", "--n-epochs", "30"], seed=7
    )
