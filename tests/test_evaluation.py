"""What there is to show of a run, against the same from NumPy and SciPy."""

import dataclasses

import numpy as np
import pytensor.tensor as T
import pytest
from scipy.special import softmax

from logistic_cg import cg_optimization_mnist
from logistic_sgd import LogisticRegression, sgd_optimization_mnist
from utils.datasets import DatasetError
from utils.report.evaluation import evaluate
from utils.training import model_file
from utils.training.model_file import ModelFileError

TRAININGS = {
    "sgd": lambda **arguments: sgd_optimization_mnist(0.5, batch_size=20, **arguments),
    "cg": lambda dataset, **arguments: cg_optimization_mnist(
        mnist_pkl_gz=dataset, batch_size=20, **arguments
    ),
}


@pytest.fixture(params=TRAININGS)
def train(request, tiny_npz, tmp_path):
    """Train on the tiny dataset: its 30 test examples are a minibatch and a half."""

    def run(**arguments):
        arguments = {"model": tmp_path / "m.pkl", "dataset": tiny_npz} | arguments
        return TRAININGS[request.param](**arguments)

    return run


def test_outcome_is_the_best_model_on_all_test_examples(train, tiny_splits):
    result = train(n_epochs=4)
    evaluation = evaluate(result)
    test_x, test_y = tiny_splits[2]
    np.testing.assert_array_equal(evaluation.labels, test_y)
    np.testing.assert_allclose(evaluation.images, test_x, atol=1e-7)
    assert evaluation.images.shape == (30, 12)
    assert evaluation.W.shape == (12, 3) and evaluation.b.shape == (3,)
    expected = softmax(test_x @ evaluation.W + evaluation.b, axis=1)
    np.testing.assert_allclose(evaluation.probabilities, expected, atol=1e-5)
    wrong = evaluation.probabilities.argmax(axis=1)[:20] != test_y[:20]
    assert evaluation.metadata["test_error"] == result.test_score == wrong.mean()
    assert evaluation.metadata["epoch"] == result.best_epoch
    assert evaluation.history is result.history


def test_result_names_model_dataset_and_history(train, tmp_path, tiny_npz, capsys):
    result = train(n_epochs=3)
    assert (result.model, result.dataset) == (tmp_path / "m.pkl", tiny_npz)
    assert [entry[0] for entry in result.history] == [1, 2, 3]
    shown = [f"validation error {entry[3] * 100:f} %" for entry in result.history]
    lines = capsys.readouterr().out.splitlines()
    # The last line tells the best validation score in other words.
    printed = [line for line in lines if "validation error" in line]
    for line, error in zip(printed, shown, strict=True):
        assert line.endswith(error)


def test_history_of_a_resumed_run_is_the_whole(train, tmp_path):
    whole = train(n_epochs=4).history
    train(n_epochs=2, checkpoint=tmp_path / "run.ckpt")
    resumed = train(n_epochs=4, resume=tmp_path / "run.ckpt")
    # All but the seconds.
    assert [e[:5] for e in resumed.history] == [e[:5] for e in whole]


def test_run_that_saved_no_model(train):
    result = dataclasses.replace(train(n_epochs=1), best_epoch=0)
    with pytest.raises(ModelFileError, match="m.pkl: .* saved no model"):
        evaluate(result)


def test_model_that_another_run_replaced(train, tmp_path):
    result = train(n_epochs=1)
    model_file.save(LogisticRegression(T.matrix(), 7, 3), tmp_path / "m.pkl", {})
    with pytest.raises(ModelFileError, match=r"\(n, 12\), found one for \(n, 7\)"):
        evaluate(result)


def test_dataset_that_is_gone(train, tiny_npz):
    result = train(n_epochs=1)
    tiny_npz.unlink()
    with pytest.raises(DatasetError, match="tiny.npz"):
        evaluate(result)
