"""Runs of both scripts that are stopped, killed or cut off, and resumed."""

import re

import kill_and_resume
import pytest
from kill_and_resume import parameters
from test_stopping import (
    CHECKPOINT,
    INTERRUPT,
    TINY,
    lines,
    stopped_in_the_sixth_epoch,
    train,
)

from utils.training import checkpoint_file

__all__ = ["train"]


@pytest.mark.parametrize(
    "script, name, status",
    [("logistic_sgd", "SIGINT", 130), ("logistic_cg", "SIGTERM", 143)],
)
def test_stopped_run_goes_on_as_the_unbroken(train, tmp_path, script, name, status):
    """So does one from whose 55th minibatch on no file may grow beyond 100 bytes."""
    unbroken = lines(train(script, *TINY))
    expected = parameters(tmp_path)
    printed = stopped_in_the_sixth_epoch(train, script, name, status)
    assert printed == unbroken[: len(printed)]
    resumed = train(script, "--resume", "run.ckpt", status=0)
    assert printed + lines(resumed) == unbroken
    assert parameters(tmp_path) == expected

    (tmp_path / "run.ckpt").unlink()
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    finished = train(
        *[script, *TINY, *CHECKPOINT, "--quiet"],
        at_minibatch=f"if count == 55: self.monitor.files.wait(); {limit}",
        status=1,
    )
    assert lines(finished) == unbroken
    *_, line = finished.stderr.splitlines()
    assert re.match(
        rf"{script}.py: error: .*: cannot be written \(File too large", line
    )
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"best_model.pkl", "run.ckpt", "tiny.npz"}
    kept = checkpoint_file.read(tmp_path / "run.ckpt")
    assert 1 <= len(kept["history"]["epoch"]) < 6

    resumed = train(script, "--resume", "run.ckpt", status=0)
    assert lines(resumed) == unbroken[-len(lines(resumed)) :]


def test_stopped_before_a_checkpoint(train, tmp_path):
    command = "logistic_sgd", *TINY, *CHECKPOINT
    early = train(*command, at_minibatch=INTERRUPT, status=130)
    assert early.stderr.endswith(
        "stopped by SIGINT in epoch 1, minibatch 1/10. No model was good enough to be "
        "saved yet. There is no checkpoint yet.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npz"]


def test_signal_that_was_ignored_stays_so(train):
    """As a shell sets it for what runs in the background or under nohup."""
    finished = train(
        *["logistic_sgd", *TINY],
        at_minibatch=f"if count == 15: {INTERRUPT}",
        before="signal.signal(signal.SIGINT, signal.SIG_IGN)",
        status=0,
    )
    assert lines(finished)[-1].startswith("The code run for 6 epochs")


@pytest.mark.parametrize(
    "script, length",
    [("logistic_sgd", ["--n-steps", 6000]), ("logistic_cg", ["--n-epochs", 60])],
)
def test_killed_at_random_moments(script, length):
    arguments = ["--dataset", "digits", *length]
    kill_and_resume.kill_and_resume(f"{script}.py", 2, arguments, seed=7)
