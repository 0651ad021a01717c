"""Shuffled runs, and runs of a fixed number of steps, cut off and resumed."""

import functools

import pytest
from changed import changed_script
from cut_off import check_resumed, cut_off, output, saved
from pytensor import config
from test_shuffle import train

from logistic_sgd import sgd_optimization_mnist
from utils.errors import CheckpointError
from utils.training import checkpoint_file

__all__ = ["train"]


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")


def resume(**arguments):
    return sgd_optimization_mnist(resume="run.ckpt", **arguments)


@pytest.mark.parametrize("length", [{"n_epochs": 4}, {"n_steps": 27}])
def test_resumed_run_is_the_unbroken_one(length, train, tmp_path, capsys):
    """Patience 10 has validation come every 5 minibatches, so also within an epoch."""
    changes = ("patience = 5000", "patience = 10"), ("increase = 2", "increase = 9")
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    settings = train.keywords | {"shuffle": 5} | length
    check_resumed(functools.partial(sgd, *train.args, **settings), sgd, 16, capsys)


def test_finished_run_tells_its_result_again_and_continues_for_more_steps(
    train, capsys
):
    train(shuffle=2, n_steps=11, checkpoint="run.ckpt")
    unbroken = output(capsys)
    resume()
    out, err = capsys.readouterr()
    result, length = out.splitlines()
    assert result == unbroken[-2]
    assert length.startswith("The code run for 11 steps")
    assert "after step 11 has accuracy" in err

    resume(n_steps=21)
    train(shuffle=2, n_steps=21, model="unbroken.pkl")
    assert saved("best_model.pkl") == saved("unbroken.pkl")


def test_checkpoint_without_the_options_is_as_it_was(train):
    """As earlier versions wrote it, and so those can be resumed."""
    train(n_epochs=2, checkpoint="run.ckpt")
    content = checkpoint_file.read("run.ckpt")
    names = "learning_rate", "batch_size", "n_epochs", "dataset", "model", "backend"
    assert content["arguments"].keys() == set(names)
    names = "patience", "patience_increase", "improvement_threshold", "epoch", "iter"
    assert content["state"].keys() == {
        *names,
        *("best_validation_loss", "test_score", "best_epoch"),
    }


PATIENCE = [
    ({"batch_size": 20}, "batch_size is 20, in the checkpoint 12"),
    ({"learning_rate": 0.25}, "learning_rate is 0.25, in the checkpoint 0.5"),
    ({"shuffle": 0}, "shuffle is 0, in the checkpoint None"),
    ({"n_steps": 30}, "is n_steps, in the checkpoint patience"),
]
STEPS = [
    ({"shuffle": 2}, "shuffle is 2, in the checkpoint 1"),
    ({"shuffle": None}, "shuffle is None, in the checkpoint 1"),
    ({"n_epochs": 3}, "is patience, in the checkpoint n_steps"),
]


@pytest.mark.parametrize(
    "run, others", [({}, PATIENCE), ({"shuffle": 1, "n_steps": 20}, STEPS)]
)
def test_other_run_is_named(run, others, train):
    cut_off(train, 17, **run)
    for change, message in others:
        with pytest.raises(CheckpointError, match=f"run.ckpt: .*{message}"):
            resume(**change)
