"""Shuffled runs of a fixed number of steps on each backend, and on MNIST."""

import re

import pytensor
import pytest
from changed import changed_script
from conftest import needs_compiler, needs_jax
from test_shuffle import check_steps, train

from logistic_sgd import sgd_optimization_mnist
from utils.training import model_file

__all__ = ["train"]


@pytest.mark.parametrize(
    "backend, floatX, tolerance",
    [
        pytest.param("c", "float64", 1e-12, marks=needs_compiler),
        ("numba", "float32", 1e-5),
        pytest.param("jax", "float32", 1e-5, marks=needs_jax),
    ],
)
def test_training_takes_the_steps_of_numpy(
    backend, floatX, tolerance, train, tiny_splits, capsys
):
    check_steps(backend, floatX, tolerance, train, tiny_splits, capsys)


@pytest.mark.parametrize("seed", range(1, 5))
def test_accuracy_of_tensorflows_softmax_regression(
    seed, mnist_folder, tmp_path, capsys
):
    """NumPy gives 0.914 to 0.917 over seeds 0 to 4, of which the lesson shows 0."""
    with pytensor.config.change_flags(floatX="float32"):
        sgd_optimization_mnist(
            0.5,
            dataset=mnist_folder,
            batch_size=64,
            shuffle=seed,
            n_steps=1000,
            model=tmp_path / "model.pkl",
        )
    accuracy = re.search(
        r"step 1000 has accuracy (\S+) over all 10000", capsys.readouterr().err
    )
    assert 0.9135 <= float(accuracy[1]) < 0.9175


def test_without_n_steps_patience_and_the_best_model_decide(train, tmp_path, capsys):
    changes = ("run.patience = 5000", "run.patience = 19"), ("old = 0.995", "old = 0")
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    result = sgd(*train.args, **train.keywords, shuffle=1)
    assert result.n_epochs == 3
    out, err = capsys.readouterr()
    assert "Optimization complete with best validation score" in out
    assert "accuracy" not in err
    metadata = model_file.read("best_model.pkl")["metadata"]
    assert metadata["shuffle"] == 1
    assert "step" not in metadata
