"""A multilayer perceptron on MNIST by minibatch SGD, written by hand in NumPy."""

import numpy as np
from numpy_sgd import SoftmaxRegression

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
        self.top = SoftmaxRegression(n_hidden, n_out, batch_size)
        self.h = np.empty((batch_size, n_hidden), np.float32)
        self.g_h = np.empty_like(self.h)
        self.g_W_hidden = np.empty_like(self.W_hidden)

    def step(self, x, y):
        """Move the parameters down the gradient; return the mean loss before.

        `x` is ``(batch_size, n_in)`` float32, `y` ``(batch_size,)`` int32.
        """
        h, g_h, top = self.h, self.g_h, self.top
        np.matmul(x, self.W_hidden, out=h)
        h += self.b_hidden
        np.tanh(h, out=h)
        cost = top.residual(h, y, LEARNING_RATE)
        np.matmul(top.p, top.W.T, out=g_h)
        top.update(h)
        h *= h  # d(tanh a)/d(a) = 1 - tanh(a) ** 2
        np.subtract(1, h, out=h)
        g_h *= h
        np.matmul(x.T, g_h, out=self.g_W_hidden)
        self.W_hidden -= self.g_W_hidden
        self.b_hidden -= g_h.sum(axis=0)
        return cost
