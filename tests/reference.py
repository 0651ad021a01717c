"""Softmax regression in NumPy and SciPy, the truth that the port is held against."""

import numpy as np
from scipy.special import log_softmax


def cost_and_gradients(W, b, x, y):
    """Mean negative log-likelihood, and its gradients by W and b."""
    n = len(y)
    log_p = log_softmax(x @ W + b, axis=1)
    difference = np.exp(log_p)
    difference[np.arange(n), y] -= 1
    return (
        -log_p[np.arange(n), y].mean(),
        x.T @ difference / n,
        difference.sum(axis=0) / n,
    )


def error(W, b, x, y):
    """Fraction of wrong predictions."""
    return np.mean(np.argmax(x @ W + b, axis=1) != y)


def sgd(splits, n_out, learning_rate, n_epochs, batch_size):
    """Minibatch SGD from zeros: parameters and validation error after each epoch."""
    (x, y), (valid_x, valid_y), _ = splits
    W, b = np.zeros((x.shape[1], n_out)), np.zeros(n_out)
    validation_errors = []
    n_valid = len(valid_y) // batch_size * batch_size
    for _ in range(n_epochs):
        for i in range(len(y) // batch_size):
            batch = slice(i * batch_size, (i + 1) * batch_size)
            _, g_W, g_b = cost_and_gradients(W, b, x[batch], y[batch])
            W, b = W - learning_rate * g_W, b - learning_rate * g_b
        validation_errors.append(error(W, b, valid_x[:n_valid], valid_y[:n_valid]))
    return W, b, validation_errors
