"""The order in which an epoch takes the training examples."""

import numpy as np
import pytensor


class ExampleOrder:
    """The order of the file, or with a seed a new random order for each epoch.

    That of epoch e is the e-th permutation which ``numpy.random.default_rng(seed)``
    draws. So seed and epoch determine it, and they are in every checkpoint: a resumed
    run draws the orders of the epochs before again (less than a millisecond each for
    MNIST), and continues, also within an epoch, in the order it was in.

    `seed` is the `shuffle` of `utils.training.Settings`; `n_examples` are for training.

    Attributes
    ----------
    order : shared vector of int64, ``(n_examples,)``, or None
        Numbers of the examples in the order of the epoch, beside the data on the
        device; None without a seed.
    """

    def __init__(self, seed, n_examples):
        self.order = None
        if seed is not None:
            self.order = pytensor.shared(np.arange(n_examples), name="order")
            self._rng = np.random.default_rng(seed)
            self._n_drawn = 0

    def rows(self, minibatch):
        """The rows that a minibatch, a slice of this order with symbolic bounds, takes.

        A symbolic vector of int64; without a seed it is the slice itself.
        """
        return minibatch if self.order is None else self.order[minibatch]

    def set_epoch(self, epoch):
        """Draw the order of an epoch, counted from 1 and never less than before."""
        if self.order is None or self._n_drawn >= epoch:
            return
        n_examples = len(self.order.get_value(borrow=True))
        while self._n_drawn < epoch:
            order = self._rng.permutation(n_examples)
            self._n_drawn += 1
        self.order.set_value(order, borrow=True)
