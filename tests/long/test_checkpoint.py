"""Runs of the other script, cut off at more moments."""

import functools

import pytensor
import pytest
from changed import changed_script
from cut_off import MIDDLE, check_resumed, cut_off, in_folder, resume
from test_checkpoint import (  # noqa: F401
    test_backend_may_change,
    test_best_model_is_written_again,
    test_finished_run_holds_its_history_and_trains_further,
    test_other_run_is_named_and_the_same_goes_on,
    test_resume_takes_the_arguments_of_the_run,
    train,
)

from logistic_cg import cg_optimization_mnist
from utils.errors import CheckpointError


@pytest.fixture
def name():
    """The script of the tests that are imported."""
    return "cg"


@pytest.mark.parametrize(
    "name, at, floatX",
    [
        ("sgd", 50, "float32"),
        ("sgd", 59, "float64"),
        ("cg", MIDDLE, "float64"),
        ("cg", 59, "float32"),
    ],
)
def test_resumed_run_is_the_unbroken_one(
    name, at, floatX, tmp_path, tiny_npz, monkeypatch, capsys
):
    run = in_folder(name, tiny_npz, tmp_path, monkeypatch)
    with pytensor.config.change_flags(floatX=floatX):
        check_resumed(run, functools.partial(resume, name), at, capsys)


@pytest.mark.parametrize("at", [20, 30, 45, 70])
def test_resumed_within_an_epoch(at, tiny_npz, tmp_path, monkeypatch, capsys):
    """Patience 40 has validation come every 20 minibatches of an epoch's 50."""
    monkeypatch.chdir(tmp_path)
    changes = ("patience = 5000", "patience = 40"), ("increase = 2", "increase = 6")
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    check_resumed(functools.partial(sgd, 0.01, 2, tiny_npz, 2), sgd, at, capsys)


def test_changed_conjugate_gradient(tiny_npz, tmp_path, monkeypatch, capsys, by_python):
    """With a penalty on theta; the lesson's own does not resume it, nor it that."""
    in_folder("cg", tiny_npz, tmp_path, monkeypatch)
    cost = "cost = classifier.negative_log_likelihood(y)"
    penalty = (cost, f"{cost} + 0.01 * (classifier.theta**2).sum()")
    own = changed_script(tmp_path, penalty, script="logistic_cg.py")
    functions = [own.cg_optimization_mnist, cg_optimization_mnist]
    runs = [functools.partial(cg, 6, tiny_npz, 10) for cg in functions]
    check_resumed(runs[0], functions[0], MIDDLE, capsys)
    for wrote, resumes in zip(runs, functions[::-1], strict=True):
        cut_off(wrote, MIDDLE)
        with pytest.raises(CheckpointError, match="output 1 of function 1 is"):
            resumes(resume="run.ckpt")
