"""Conjugate gradient over the flat theta, against SciPy on a NumPy cost."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from cg_iterations import check_iterations
from scipy.optimize import check_grad

import logistic_cg
from logistic_cg import LogisticRegression, cg_optimization_mnist
from utils.backends import compilation_mode
from utils.training import Monitor


def test_classifier_views_theta():
    with pytensor.config.change_flags(floatX="float64"):
        classifier = LogisticRegression(T.dmatrix("x"), n_in=5, n_out=3)
    assert classifier.params == [classifier.theta]
    np.testing.assert_array_equal(classifier.theta.get_value(), np.zeros(18))
    classifier.theta.set_value(np.arange(18.0))
    views = [classifier.W, classifier.b]
    W, b = pytensor.function([], views, mode=compilation_mode())()
    np.testing.assert_array_equal(W, np.arange(15).reshape(5, 3))
    np.testing.assert_array_equal(b, [15, 16, 17])


def test_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(5)
    x_value = rng.normal(size=(8, 5))
    y_value = rng.integers(0, 3, 8).astype("int32")
    with pytensor.config.change_flags(floatX="float64"):
        x, y = T.dmatrix("x"), T.ivector("y")
        classifier = LogisticRegression(x, n_in=5, n_out=3)
        cost = classifier.negative_log_likelihood(y)
        function = pytensor.function(
            [x, y], [cost, T.grad(cost, classifier.theta)], mode=compilation_mode()
        )

    def call(theta):
        classifier.theta.set_value(theta)
        return function(x_value, y_value)

    theta = rng.normal(size=18)
    difference = check_grad(lambda t: float(call(t)[0]), lambda t: call(t)[1], theta)
    assert difference < 1e-6


@pytest.mark.filterwarnings("error")
def test_training_takes_the_iterations_of_scipy(
    tiny_npz, tiny_splits, tmp_path, capsys
):
    check_iterations("float64", tiny_npz, tiny_splits, tmp_path / "m.pkl", capsys)


def test_cost_and_gradient_are_one_call(tiny_npz, tmp_path, monkeypatch):
    """As many sweeps over the minibatches as SciPy counts evaluations."""
    evaluations = []
    original = logistic_cg.scipy.optimize.minimize

    def counting(*args, **kwargs):
        result = original(*args, **kwargs)
        evaluations.append((result.nfev, result.njev))
        return result

    class Counter(Monitor):
        calls = 0

        def advance(self, n_minibatches):
            self.calls += n_minibatches

    monkeypatch.setattr(logistic_cg.scipy.optimize, "minimize", counting)
    monitor = Counter()
    cg_optimization_mnist(
        3, tiny_npz, batch_size=10, model=tmp_path / "m.pkl", monitor=monitor
    )
    (nfev, njev), *_ = evaluations
    assert nfev == njev
    assert monitor.calls == nfev * 10
