"""Softmax regression on MNIST by conjugate gradient, in NumPy with SciPy."""

import time

import numpy as np
import scipy
from lesson import (
    BATCH_SIZE,
    dataset_argument,
    load_data,
    report_setup,
    whole_minibatches,
)
from scipy.optimize import minimize

N_ITERATIONS = 50


class FlatSoftmaxRegression:
    """Cost, gradient and error as functions of one flat `theta`, float64."""

    def __init__(self, x, y, n_out):
        self.x, self.y = x, y
        self.n_in, self.n_out = x.shape[1], n_out
        self.rows = np.arange(BATCH_SIZE)
        self.p = np.empty((BATCH_SIZE, n_out))
        self.g_W = np.empty((self.n_in, n_out))

    def unflatten(self, theta):
        """Return W ``(n_in, n_out)`` and b ``(n_out,)``, views of `theta`."""
        n_weights = self.n_in * self.n_out
        return theta[:n_weights].reshape(self.n_in, self.n_out), theta[n_weights:]

    def cost_and_gradient(self, theta):
        """Return both, averaged over the training minibatches."""
        W, b = self.unflatten(theta)
        cost, gradient = 0.0, np.zeros_like(theta)
        g_W, g_b = self.unflatten(gradient)
        for start in range(0, len(self.x), BATCH_SIZE):
            x = self.x[start : start + BATCH_SIZE]
            label = self.rows, self.y[start : start + BATCH_SIZE]
            p = np.matmul(x, W, out=self.p)
            p += b
            p -= p.max(axis=1, keepdims=True)
            cost -= p[label].sum()
            np.exp(p, out=p)
            total = p.sum(axis=1, keepdims=True)
            cost += np.log(total).sum()
            p /= total
            p[label] -= 1
            g_W += np.matmul(x.T, p, out=self.g_W)
            g_b += p.sum(axis=0)
        gradient /= len(self.x)
        return cost / len(self.x), gradient

    def error(self, theta, x, y):
        """Return the fraction of `y` that differs from the largest logit."""
        W, b = self.unflatten(theta)
        return np.mean(np.argmax(x @ W + b, axis=1) != y)


def main():
    (train_x, train_y), valid, test = (
        whole_minibatches(x, y)
        for x, y in load_data(dataset_argument(__doc__), np.float64)
    )
    report_setup(f"NumPy {np.__version__}, SciPy {scipy.__version__}")
    model = FlatSoftmaxRegression(train_x, train_y, train_y.max() + 1)
    best_validation_error = np.inf
    best_test_error = np.nan

    def callback(theta):
        nonlocal best_validation_error, best_test_error
        error = model.error(theta, *valid)
        print(f"validation error {error * 100:f} %")
        if error < best_validation_error:
            best_validation_error = error
            best_test_error = model.error(theta, *test)

    start_time = time.perf_counter()
    minimize(
        model.cost_and_gradient,
        np.zeros((model.n_in + 1) * model.n_out),
        jac=True,
        method="CG",
        callback=callback,
        options={"maxiter": N_ITERATIONS},
    )
    seconds = time.perf_counter() - start_time
    print(
        "Optimization complete with best validation score of "
        f"{best_validation_error * 100:f} %, "
        f"with test performance {best_test_error * 100:f} %"
    )
    print(f"The code for file numpy_cg.py ran for {seconds:.1f}s")


if __name__ == "__main__":
    main()
