"""The costs of the minibatches since the last validation."""

import math

import numpy as np


class Costs:
    """Keeps costs without looking at them, until a validation is due.

    A number on an accelerator may not be computed yet when it is kept, and would have
    to be fetched from there: of such costs only the last is looked at.
    """

    def __init__(self):
        self._costs, self._n_summed = [], 1

    def add(self, cost, n_minibatches):
        """Keep the mean negative log-likelihood of a minibatch, or a sum of several."""
        self._costs.append(cost)
        self._n_summed = n_minibatches

    def not_finite(self):
        """The first cost that is NaN or infinite; None where all are finite."""
        last = self._costs[-1:]
        on_host = all(isinstance(c, (float, np.ndarray, np.generic)) for c in last)
        self._costs = [float(cost) for cost in (self._costs if on_host else last)]
        return next((c for c in self._costs if not math.isfinite(c)), None)

    def take_last(self):
        """The last cost, a mean over its minibatches (NaN before any); forget all."""
        last = float(self._costs[-1]) / self._n_summed if self._costs else math.nan
        self._costs = []
        return last
