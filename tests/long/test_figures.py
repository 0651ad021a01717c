"""The pictures of the published run on MNIST."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra `plot`")

from drawn import colours_at, words  # noqa: E402

from logistic_sgd import sgd_optimization_mnist  # noqa: E402
from utils.datasets import load  # noqa: E402
from utils.report import figures  # noqa: E402
from utils.report.evaluation import evaluate  # noqa: E402


def test_pictures_of_mnist(mnist_folder, tmp_path):
    """The published run: 7.489583 % of 9,600 wrong, 7.75 % of all 10,000."""
    model = tmp_path / "best_model.pkl"
    evaluation = evaluate(sgd_optimization_mnist(dataset=mnist_folder, model=model))
    drawn = figures.draw(evaluation)
    # Ink in the middle speaks against a zero and for a one.
    weights = drawn["weights"]
    zero, one = colours_at(weights, *[(weights.axes[i], 14, 14) for i in (0, 1)])
    assert zero[0] > 0.6 and zero[1] < 0.4 and zero[2] < 0.4
    assert one[2] > 0.5 and one[0] < 0.4
    shown = words(drawn["confusion"])
    assert "775 of all 10,000 test examples are wrong: 7.75 %" in shown
    assert "a test error of 7.489583 %" in shown
    assert "the first 9,600 examples" in shown
    x, y = load(mnist_folder)[2]
    wrong = np.argmax(x @ evaluation.W.astype("float64") + evaluation.b, axis=1) != y
    assert f"Of the 400 that are left out, {wrong[9600:].sum()} are wrong" in shown
    assert "epoch 73 (dashed), validation error 7.50 %" in words(
        drawn["learning_curve"]
    )
