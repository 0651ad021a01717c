"""Conjugate gradient over the flat theta, against SciPy on a NumPy cost."""

import pickle

import numpy as np
import pytensor
import pytest
import reference
from cut_off import Killer
from scipy.optimize import minimize

import logistic_sgd
from logistic_cg import cg_optimization_mnist
from utils.training import Monitor


def numpy_conjugate_gradient(splits, n_iterations, batch_size):
    """SciPy's on a NumPy cost: theta after each iteration, number of evaluations."""
    (x, y), *_ = splits
    n_batches = len(y) // batch_size

    def cost_and_gradient(theta):
        cost, gradient = 0.0, np.zeros_like(theta)
        for i in range(n_batches):
            batch = slice(i * batch_size, (i + 1) * batch_size)
            batch_cost, g_W, g_b = reference.cost_and_gradients(
                theta[:36].reshape(12, 3), theta[36:], x[batch], y[batch]
            )
            cost += batch_cost
            gradient += np.concatenate([g_W.ravel(), g_b])
        return cost / n_batches, gradient / n_batches

    path = []
    result = minimize(
        cost_and_gradient,
        np.zeros(39),
        jac=True,
        method="CG",
        callback=lambda theta: path.append(theta.copy()),
        options={"maxiter": n_iterations},
    )
    return path, result.nfev


def check_iterations(floatX, dataset, splits, model, capsys, backend="auto"):
    """Five iterations on the tiny dataset, its lines and its model."""
    monitor = Killer()
    with pytensor.config.change_flags(floatX=floatX):
        result = cg_optimization_mnist(
            5, dataset, 10, model=model, monitor=monitor, backend=backend
        )

    path, n_evaluations = numpy_conjugate_gradient(splits, 5, 10)
    if floatX == "float64":  # cost and gradient of a minibatch are one call
        assert monitor.count == n_evaluations * 10
    parameters = [(theta[:36].reshape(12, 3), theta[36:]) for theta in path]
    errors = [reference.error(*p, *splits[1]) for p in parameters]
    best = int(np.argmin(errors))
    test_error = reference.error(*parameters[best], *splits[2])

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "... loading data",
        "... building the model",
        "... training the model",
        "Optimizing using scipy.optimize.fmin_cg...",
        *(f"validation error {error * 100:f} %" for error in errors),
        "Optimization complete with best validation score of "
        f"{errors[best] * 100:f} %, with test performance {test_error * 100:f} %",
    ]
    assert (result.n_epochs, result.best_epoch) == (5, best + 1)

    with open(model, "rb") as file:
        saved = pickle.load(file)
    assert type(saved) is logistic_sgd.LogisticRegression
    assert saved.params == [saved.W, saved.b]
    tolerance = 1e-9 if floatX == "float64" else 1e-3
    for param, expected in zip(saved.params, parameters[best], strict=True):
        found = param.get_value()
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("error")
def test_training_takes_the_iterations_of_scipy(
    tiny_npz, tiny_splits, tmp_path, capsys
):
    check_iterations("float64", tiny_npz, tiny_splits, tmp_path / "m.pkl", capsys)


@pytest.mark.parametrize(
    "n_epochs, ended_because",
    [(3, "all iterations done"), (1000, "Optimization terminated successfully.")],
)
def test_end_of_the_run_is_that_of_scipy(
    n_epochs, ended_because, tiny_npz, tmp_path, capsys
):
    monitor = Monitor(quiet=False)
    result = cg_optimization_mnist(
        n_epochs, tiny_npz, 10, model=tmp_path / "m.pkl", monitor=monitor
    )
    assert result.ended_because == ended_because
    line = f"... ended in iteration {len(result.history)}: {ended_because}"
    assert line in capsys.readouterr().err.splitlines()


def test_run_that_can_take_no_step_says_that_it_saved_no_model(
    tmp_path, capsys, by_python
):
    """Of images without ink and classes of one size the gradient is zero."""
    dataset = np.zeros((70, 4), np.uint8), np.arange(70) % 2
    result = cg_optimization_mnist(3, dataset, 10, model=tmp_path / "m.pkl")
    assert result.best_epoch == 0 and not list(tmp_path.iterdir())
    assert "saved no model" in capsys.readouterr().err
