"""Softmax regression on MNIST by minibatch SGD, written by hand in NumPy."""

import numpy as np
from lesson import (
    BATCH_SIZE,
    LEARNING_RATE,
    dataset_argument,
    load_data,
    report_setup,
    train,
    whole_minibatches,
)


class SoftmaxRegression:
    """The model, its buffers for one minibatch, and one SGD step by hand."""

    def __init__(self, n_in, n_out, batch_size):
        self.W = np.zeros((n_in, n_out), np.float32)
        self.b = np.zeros(n_out, np.float32)
        self.p = np.empty((batch_size, n_out), np.float32)
        self.column = np.empty((batch_size, 1), np.float32)
        self.g_W = np.empty_like(self.W)
        self.rows = np.arange(batch_size)

    def step(self, x, y):
        """Move W and b down the gradient; return the mean negative log-likelihood.

        `x` is ``(batch_size, n_in)`` float32, `y` ``(batch_size,)`` int32.
        """
        cost = self.residual(x, y, LEARNING_RATE)
        self.update(x)
        return cost

    def residual(self, x, y, learning_rate):
        """Set p to the rate times d(cost)/d(logits); return the cost."""
        p, column = self.p, self.column
        np.matmul(x, self.W, out=p)
        p += self.b
        np.max(p, axis=1, keepdims=True, out=column)
        p -= column
        np.exp(p, out=p)
        np.sum(p, axis=1, keepdims=True, out=column)
        p /= column
        cost = -np.log(p[self.rows, y]).mean()

        # d(cost)/d(logits) = (p - one_hot(y)) / n, the learning rate folded in.
        p[self.rows, y] -= 1
        p *= learning_rate / len(x)
        return cost

    def update(self, x):
        """Move W and b by the residual of the minibatch `x`."""
        np.matmul(x.T, self.p, out=self.g_W)
        self.W -= self.g_W
        self.b -= self.p.sum(axis=0)

    def error(self, x, y):
        """Return the fraction of `y` that differs from the largest logit."""
        logits = x @ self.W
        logits += self.b
        return np.mean(np.argmax(logits, axis=1) != y)


def main():
    dataset = dataset_argument(__doc__)
    (train_x, train_y), valid, test = (
        whole_minibatches(x, y) for x, y in load_data(dataset)
    )
    report_setup(f"NumPy {np.__version__}")
    model = SoftmaxRegression(train_x.shape[1], train_y.max() + 1, BATCH_SIZE)

    def train_minibatches(n):
        for start in range(0, n * BATCH_SIZE, BATCH_SIZE):
            minibatch = slice(start, start + BATCH_SIZE)
            model.step(train_x[minibatch], train_y[minibatch])

    train(
        train_minibatches,
        lambda: model.error(*valid),
        lambda: model.error(*test),
        len(train_x) // BATCH_SIZE,
    )


if __name__ == "__main__":
    main()
