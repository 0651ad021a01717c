"""A new random order each epoch, and runs of a fixed number of steps."""

import functools
import re

import numpy as np
import pytensor
import pytest
import reference

import logistic_sgd
from logistic_sgd import LogisticRegression, sgd_optimization_mnist
from utils.training import model_file


@pytest.fixture
def train(tiny_npz, tmp_path, monkeypatch):
    """Train in the temporary folder on 8 batches of 12, of 100 examples, an epoch."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(
        sgd_optimization_mnist, 0.5, dataset=tiny_npz, batch_size=12
    )


def shuffled_sgd(x, y, seed, n_steps):
    """W and b after so many steps of NumPy's, on batches of 12 of the 100 examples."""
    W, b = np.zeros((x.shape[1], 3)), np.zeros(3)
    rng = np.random.default_rng(seed)
    for step in range(n_steps):
        if step % 8 == 0:
            order = rng.permutation(100)
        batch = order[step % 8 * 12 : (step % 8 + 1) * 12]
        _, g_W, g_b = reference.cost_and_gradients(W, b, x[batch], y[batch])
        W, b = W - 0.5 * g_W, b - 0.5 * g_b
    return W, b


def check_steps(backend, floatX, tolerance, train, tiny_splits, capsys):
    """19 steps: two epochs, each without 4 of the 100, and 3 steps of a third."""
    with pytensor.config.change_flags(floatX=floatX):
        result = train(shuffle=7, n_steps=19, backend=backend)
    W, b = shuffled_sgd(*tiny_splits[0], 7, 19)
    (valid_x, valid_y), (test_x, test_y) = tiny_splits[1:]
    valid_error = reference.error(W, b, valid_x[:12], valid_y[:12])
    test_error = reference.error(W, b, test_x[:24], test_y[:24])
    all_error = reference.error(W, b, test_x, test_y)

    model = model_file.load("best_model.pkl", LogisticRegression)
    for param, expected in zip(model.params, (W, b), strict=True):
        found = param.get_value()
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    figures = {"epoch": 3, "step": 19, "shuffle": 7, "batch_size": 12}
    assert figures.items() <= model.metadata.items()
    assert model.metadata["test_error"] == result.test_score == test_error
    assert result.best_validation_loss == valid_error

    out, err = capsys.readouterr()
    where = [line.split(",")[:2] for line in out.splitlines() if line[:5] == "epoch"]
    assert where == [
        [f"epoch {e}", f" minibatch {m}/8"] for e, m in ((1, 8), (2, 8), (3, 3))
    ]
    assert (
        "\nOptimization complete with latest validation score of "
        f"{valid_error * 100:f} %,with test performance {test_error * 100:f} %\n"
        "The code run for 19 steps, with "
    ) in out
    assert "best" not in out
    assert err.splitlines()[-1] == (
        f"The model after step 19 has accuracy {1 - all_error:.4f} over all 30 test "
        "examples"
    )


def test_training_takes_the_steps_of_numpy(train, tiny_splits, capsys):
    check_steps("auto", "float32", 1e-5, train, tiny_splits, capsys)


def test_options_of_the_script(tiny_npz, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", str(tiny_npz), "--batch-size", "12", "--quiet"]
    status = logistic_sgd.main([*options, "--shuffle", "4", "--n-steps", "9"])
    assert status == 0
    run_time, accuracy = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"The model after step 9 has accuracy [01]\.\d{4} over all 30 test examples",
        accuracy,
    )
    assert logistic_sgd.main([*options, "--n-steps", "9", "--n-epochs", "2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""  # before the data is read
    assert "error: n_epochs and n_steps are both given" in err
