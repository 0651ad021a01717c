"""The lesson's functions, compiled for data of a test's own."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from logistic_sgd import LogisticRegression, scaled


class Lesson:
    """The functions of a minibatch's index, and the shared variables that they use."""

    def __init__(self, images, labels, n_out, batch_size, learning_rate, mode):
        rate = np.asarray(learning_rate, pytensor.config.floatX)
        index, x, y = pt.lscalar("index"), pt.matrix("x"), pt.ivector("y")
        self.x = pytensor.shared(images, borrow=True)
        self.y = pytensor.shared(labels, borrow=True)
        classifier = LogisticRegression(x, images.shape[1], n_out)
        self.params = self.W, self.b = classifier.params
        cost = classifier.negative_log_likelihood(y)
        gradients = zip(self.params, pt.grad(cost, self.params), strict=True)
        updates = [(param, param - rate * gradient) for param, gradient in gradients]
        rows = slice(index * batch_size, (index + 1) * batch_size)
        how = {"givens": {x: scaled(self.x[rows]), y: self.y[rows]}, "mode": mode}
        self.train = pytensor.function([index], cost, updates=updates, **how)
        self.validate = pytensor.function([index], classifier.errors(y), **how)
