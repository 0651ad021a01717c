"""A multilayer perceptron on MNIST by minibatch SGD, written by hand in NumPy."""

import numpy as np

LEARNING_RATE = 0.01


class MLP:
    """One hidden layer of tanh units below a softmax, its buffers, and one SGD step.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
        Features, hidden units, classes.
    batch_size : int
        Rows of every minibatch.
    """

    def __init__(self, n_in, n_hidden, n_out, batch_size):
        bound = np.sqrt(6.0 / (n_in + n_hidden))
        W = np.random.RandomState(1234).uniform(-bound, bound, (n_in, n_hidden))
        self.W_hidden = W.astype(np.float32)
        self.b_hidden = np.zeros(n_hidden, np.float32)
        self.W = np.zeros((n_hidden, n_out), np.float32)
        self.b = np.zeros(n_out, np.float32)
        self.h = np.empty((batch_size, n_hidden), np.float32)
        self.g_h = np.empty_like(self.h)
        self.p = np.empty((batch_size, n_out), np.float32)
        self.column = np.empty((batch_size, 1), np.float32)
        self.g_W_hidden = np.empty_like(self.W_hidden)
        self.g_W = np.empty_like(self.W)
        self.rows = np.arange(batch_size)

    def step(self, x, y):
        """Move the parameters down the gradient; return the mean loss before.

        `x` is ``(batch_size, n_in)`` float32, `y` ``(batch_size,)`` int32.
        """
        h, g_h, p, column = self.h, self.g_h, self.p, self.column
        np.matmul(x, self.W_hidden, out=h)
        h += self.b_hidden
        np.tanh(h, out=h)
        np.matmul(h, self.W, out=p)
        p += self.b
        np.max(p, axis=1, keepdims=True, out=column)
        p -= column
        np.exp(p, out=p)
        np.sum(p, axis=1, keepdims=True, out=column)
        p /= column
        cost = -np.log(p[self.rows, y]).mean()

        # d(cost)/d(logits) = (p - one_hot(y)) / n, the learning rate folded in.
        p[self.rows, y] -= 1
        p *= LEARNING_RATE / len(x)
        np.matmul(p, self.W.T, out=g_h)
        np.matmul(h.T, p, out=self.g_W)
        h *= h  # d(tanh a)/d(a) = 1 - tanh(a) ** 2
        np.subtract(1, h, out=h)
        g_h *= h
        np.matmul(x.T, g_h, out=self.g_W_hidden)
        self.W -= self.g_W
        self.b -= p.sum(axis=0)
        self.W_hidden -= self.g_W_hidden
        self.b_hidden -= g_h.sum(axis=0)
        return cost
