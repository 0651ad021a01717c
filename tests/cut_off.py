"""Runs that are cut off as by a kill, and what is left of them."""

import functools

import pytest
from processes import lines
from pytensor import config

from logistic_cg import cg_optimization_mnist
from logistic_sgd import sgd_optimization_mnist
from utils.training import Monitor, checkpoint_file, model_file


class CutOff(Exception):
    """As a kill would, it leaves nothing but the files."""


class Killer(Monitor):
    """Ends the run at a minibatch, and counts them."""

    def __init__(self, at=None):
        super().__init__()
        self.at, self.count = at, 0

    def advance(self, n_minibatches):
        if self.count == self.at:
            self.files.wait()  # or what is on the disk would depend on time
            raise CutOff
        self.count += 1


def train_sgd(dataset, n_epochs=6, **settings):
    """Train on the tiny dataset: 10 minibatches of 10 an epoch."""
    return sgd_optimization_mnist(0.5, n_epochs, dataset, 10, **settings)


def train_cg(dataset, n_epochs=6, **settings):
    return cg_optimization_mnist(n_epochs, dataset, 10, **settings)


TRAININGS = {"sgd": train_sgd, "cg": train_cg}
# A minibatch of the fifth epoch, and of an iteration between the first and the last.
MIDDLE = 45


# The training functions' names for the dataset.
DATASET = {"sgd": "dataset", "cg": "mnist_pkl_gz"}


def resume(name, **settings):
    function = {"sgd": sgd_optimization_mnist, "cg": cg_optimization_mnist}[name]
    return function(**{"resume": "run.ckpt"} | settings)


def cut_off(train, at, **settings):
    with pytest.raises(CutOff):
        train(checkpoint="run.ckpt", monitor=Killer(at), **settings)


def rewrite(change):
    """Write the checkpoint again, of content that `change` has changed."""
    content = checkpoint_file.read("run.ckpt")
    change(content)
    with open("run.ckpt", "wb") as file:
        file.write(checkpoint_file.dumps(content))


def saved(path):
    """The bytes of a model's parameters, and its metadata."""
    model = model_file.read(path)
    params = model["params"] if "params" in model else [model["W"], model["b"]]
    return [param.tobytes() for param in params], model["metadata"]


def output(capsys):
    """The lines on standard output, without the rate, which depends on the moment."""
    return lines(capsys.readouterr().out)


def check_resumed(train, resume, at, capsys):
    """Cut a run off, resume it, and compare with the same run unbroken.

    Parameters
    ----------
    train, resume : callable
        They take settings.
    at : int
        The minibatch at which it is cut off.
    """
    expected = train(model="unbroken.pkl")
    unbroken = output(capsys)
    cut_off(train, at)
    first = output(capsys)
    found = resume(resume="run.ckpt")
    rest = output(capsys)
    assert first == unbroken[: len(first)]
    assert rest == unbroken[-len(rest) :]
    assert len(first) + len(rest) >= len(unbroken)
    assert saved("best_model.pkl") == saved("unbroken.pkl")
    for figure in ("best_validation_loss", "test_score", "best_epoch", "n_epochs"):
        assert getattr(found, figure) == getattr(expected, figure)


def in_folder(name, dataset, folder, monkeypatch):
    """A training function of the tiny dataset, in a folder and its script's floatX."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(config, "floatX", {"sgd": "float32", "cg": "float64"}[name])
    return functools.partial(TRAININGS[name], dataset)
