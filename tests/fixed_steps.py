"""Shuffled runs of a fixed number of steps, against NumPy's."""

import numpy as np
import pytensor
import reference

from logistic_sgd import LogisticRegression
from utils.training import model_file


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
