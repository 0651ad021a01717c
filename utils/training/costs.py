"""The costs of the minibatches since the last validation, and whether they diverge."""

import math

import numpy as np

from .kept_variables import by_name, is_finite


class Costs:
    """Keeps costs without looking at them, until a validation is due.

    A number on an accelerator may not be computed yet when it is kept, and would have
    to be fetched from there: of such costs only the last is looked at.
    """

    def __init__(self):
        self._costs, self._n_summed, self._watched = [], 1, {}

    def watch(self, variables):
        """Watch those of the shared variables that hold only finite numbers now."""
        self._watched = {n: v for n, v in by_name(variables).items() if is_finite(v)}

    def add(self, cost, n_minibatches):
        """Keep the mean negative log-likelihood of a minibatch, or a sum of several."""
        self._costs.append(cost)
        self._n_summed = n_minibatches

    def divergence(self):
        """Say which cost or watched variable is NaN or infinite; None if none is.

        A cost tells nothing of the last update, nor of weights that only zeros met.
        """
        last = self._costs[-1:]
        on_host = all(isinstance(c, (float, np.ndarray, np.generic)) for c in last)
        self._costs = [float(cost) for cost in (self._costs if on_host else last)]
        for cost in self._costs:
            if not math.isfinite(cost):
                return f"the cost of a minibatch became {cost}"
        for name, variable in self._watched.items():
            if not is_finite(variable):
                return f"{name} became NaN or infinite"
        return None

    def take_last(self):
        """The last cost, a mean over its minibatches (NaN before any); forget all."""
        last = float(self._costs[-1]) / self._n_summed if self._costs else math.nan
        self._costs = []
        return last
