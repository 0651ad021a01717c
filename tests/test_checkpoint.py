"""A run that is cut off and resumed, against the same run unbroken."""

import functools
import math
import os
import re
import signal

import numpy as np
import pytensor
import pytest
from changed import changed_script
from conftest import needs_compiler
from cut_off import (
    DATASET,
    MIDDLE,
    Killer,
    check_resumed,
    cut_off,
    in_folder,
    output,
    resume,
    rewrite,
    saved,
)

import logistic_cg
import logistic_sgd
from logistic_cg import cg_optimization_mnist
from logistic_sgd import sgd_optimization_mnist
from utils.errors import CheckpointError
from utils.files import WriteError
from utils.training import Monitor, Objective, TrainingStopped, checkpoint_file


@pytest.fixture
def name():
    """The script of the tests that both scripts pass; tests/long has the other."""
    return "sgd"


@pytest.fixture
def train(name, tmp_path, tiny_npz, monkeypatch):
    return in_folder(name, tiny_npz, tmp_path, monkeypatch)


def test_resumed_run_is_the_unbroken_one(train, name, capsys):
    check_resumed(train, functools.partial(resume, name), MIDDLE, capsys)


def test_resumed_after_the_last_validation_before_patience_ends(
    tiny_npz, tmp_path, monkeypatch, capsys
):
    """With patience 19 the run ends at the minibatch of its fourth validation."""
    monkeypatch.chdir(tmp_path)
    changes = ("run.patience = 5000", "run.patience = 19"), ("old = 0.995", "old = 0")
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    result = sgd(0.5, 9, tiny_npz, 10, checkpoint="run.ckpt")
    unbroken = output(capsys)
    again = sgd(n_epochs=20, resume="run.ckpt")
    assert output(capsys) == unbroken[-2:]
    assert again.n_epochs == result.n_epochs


def test_resumed_without_a_patience_rule(tiny_npz, tmp_path, monkeypatch, capsys):
    """A reader's loop that takes all epochs; patience 0 would end it on resuming."""
    monkeypatch.chdir(tmp_path)
    frequency = "validation_frequency = min(n_train_batches, run.patience // 2)"
    changes = (
        ("    run.patience = 5000  # look at this many minibatches regardless\n", ""),
        (frequency, "validation_frequency = n_train_batches"),
    )
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    check_resumed(functools.partial(sgd, 0.5, 6, tiny_npz, 10), sgd, MIDDLE, capsys)


def test_finished_run_holds_its_history_and_trains_further(train, name, capsys):
    result = train(checkpoint="run.ckpt")
    printed = re.findall(r"validation error ([0-9.]+) %", "\n".join(output(capsys)))
    history = checkpoint_file.read("run.ckpt")["history"]
    assert [f"{v * 100:f}" for v in history["validation_loss"]] == printed
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["test_score"][-1] == result.test_score
    assert np.all(np.diff(history["seconds"]) > 0)
    assert np.all(np.diff(history["cost"])[:2] < 0)

    resume(name, n_epochs=9)
    found = output(capsys)
    train(n_epochs=9, model="unbroken.pkl")
    unbroken = output(capsys)
    assert found == unbroken[-len(found) :]
    assert sum("validation error" in line for line in found) == 3


def test_other_run_is_named_and_the_same_goes_on(train, name, tmp_path, tiny_npz):
    """The other script, another dataset of the same shape; the same one elsewhere."""
    cut_off(train, MIDDLE)
    before = len(checkpoint_file.read("run.ckpt")["history"]["epoch"])
    other = {"sgd": "cg", "cg": "sgd"}[name]
    with pytest.raises(CheckpointError, match="training is .* in the checkpoint"):
        resume(other)
    arrays = dict(np.load(tiny_npz))
    arrays["x_test"][0, 0, 0] ^= 1
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(CheckpointError, match="dataset is other.npz .*checkpoint /.*"):
        resume(name, **{DATASET[name]: "other.npz"})

    tiny_npz.rename(tmp_path / "moved.npz")
    assert resume(name, **{DATASET[name]: "moved.npz"}).n_epochs == 6
    assert len(checkpoint_file.read("run.ckpt")["history"]["epoch"]) == 6 > before


def test_resume_takes_the_arguments_of_the_run(train, name, tmp_path):
    cut_off(train, MIDDLE, model="mine.pkl")
    (tmp_path / "mine.pkl").unlink()
    resume(name, checkpoint="next.ckpt")
    arguments = checkpoint_file.read("next.ckpt")["arguments"]
    assert arguments == checkpoint_file.read("run.ckpt")["arguments"]
    expected = {"n_epochs": 6, "batch_size": 10, "model": "mine.pkl"}
    assert expected.items() <= arguments.items()
    assert (tmp_path / "mine.pkl").exists()
    assert not (tmp_path / "best_model.pkl").exists()


def test_best_model_is_written_again(train, name, tmp_path):
    cut_off(train, 59)
    best = saved("best_model.pkl")
    (tmp_path / "best_model.pkl").unlink()
    resume(name, n_epochs=1)
    assert saved("best_model.pkl") == best


@needs_compiler
def test_backend_may_change(train, name):
    expected = train()
    cut_off(train, MIDDLE, backend="auto")
    found = resume(name, backend="c")
    assert checkpoint_file.read("run.ckpt")["arguments"]["backend"] == "c"
    assert found.best_validation_loss == expected.best_validation_loss


def test_other_floatX_is_named(train):
    with pytensor.config.change_flags(floatX="float32"):
        cut_off(train, MIDDLE)
    with pytensor.config.change_flags(floatX="float64"):
        with pytest.raises(CheckpointError, match="floatX is float64, .* float32"):
            resume("sgd")


def test_integers_of_numpy_count_on(tiny_npz, tmp_path, by_python):
    """Past 255 minibatches, and in a checkpoint."""
    path, kept, two = tmp_path / "m.pkl", tmp_path / "c", np.uint8(2)
    sgd_optimization_mnist(
        0.1, two, tiny_npz, np.uint8(10), model=path, checkpoint=kept
    )
    result = sgd_optimization_mnist(n_epochs=np.uint8(27), resume=kept)
    assert [row[1] for row in result.history] == [*range(9, 270, 10)]


def test_missing_checkpoint_is_an_error(name):
    with pytest.raises(CheckpointError, match="no.ckpt: .*cannot be read .No such"):
        resume(name, resume="no.ckpt")


def test_checkpoint_that_cannot_be_written_is_told_after_the_result(train, capsys):
    class Folder(Monitor):
        """Takes the folder away once the training has begun."""

        def start(self, *arguments):
            os.rmdir("folder")
            super().start(*arguments)

    os.mkdir("folder")
    with pytest.raises(WriteError, match="folder/run.ckpt: cannot be written"):
        train(checkpoint="folder/run.ckpt", monitor=Folder())
    assert any(line.startswith("Optimization complete") for line in output(capsys))


@pytest.fixture
def train_cg(tiny_npz, tmp_path, monkeypatch):
    return in_folder("cg", tiny_npz, tmp_path, monkeypatch)


def test_conjugate_gradient_computes_nothing_twice(train_cg):
    whole = Killer()
    train_cg(monitor=whole)
    cut_off(train_cg, MIDDLE)
    kept = len(checkpoint_file.read("run.ckpt")["evaluations"]["costs"])
    rest = Killer()
    resume("cg", monitor=rest)
    assert kept > 0
    assert rest.count == whole.count - 10 * kept


def test_conjugate_gradient_that_takes_another_path_is_refused(train_cg):
    cut_off(train_cg, MIDDLE)

    def slightly(content):
        content["evaluations"]["gradients"][0, 3] *= 1 + 1e-12

    rewrite(slightly)
    with pytest.raises(CheckpointError, match="theta of evaluation 2 of"):
        resume("cg")


def test_variable_that_is_not_finite_is_refused(train, tmp_path):
    """A cost would not tell, where the images have zeros."""
    cut_off(train, MIDDLE)
    best = (tmp_path / "best_model.pkl").read_bytes()
    rewrite(lambda content: content["variables"]["W"].__setitem__(0, math.nan))
    with pytest.raises(CheckpointError, match="W cannot be set .it holds NaN"):
        resume("sgd")
    assert (tmp_path / "best_model.pkl").read_bytes() == best


def test_stop_while_evaluations_are_played_back(train_cg, monkeypatch):
    class Stopped(Monitor):
        def start(self, *arguments):
            super().start(*arguments)
            self.request_stop(signal.SIGINT)

    cut_off(train_cg, MIDDLE)
    monkeypatch.setattr(Objective, "costs_and_gradients", lambda self: pytest.fail())
    with pytest.raises(TrainingStopped, match="stopped by SIGINT in iteration"):
        resume("cg", monitor=Stopped())


def test_scripts_define_the_functions_they_decorate():
    for module, function in (
        (logistic_sgd, sgd_optimization_mnist),
        (logistic_cg, cg_optimization_mnist),
    ):
        assert function.__module__ == module.__name__
        assert function.__doc__.startswith("Train logistic regression")
