"""The work of one worker: its rows, its compiled functions, and sums over shards."""

import pickle
from typing import NamedTuple

import numpy as np
from pytensor import config

from utils.backends import compilation_mode
from utils.datasets import fingerprint
from utils.errors import BackendError, DatasetError


class Job(NamedTuple):
    """A worker's instructions for a run; functions are sent by their names."""

    load_data: object  # (dataset, dtype) -> three (x, y) pairs of shared variables
    compile_functions: object  # (splits, n_in, n_out, batch_size, mode) -> functions
    dataset: str
    fingerprint: str  # the client's data
    n_in: int
    n_out: int
    batch_size: int
    backend: str
    floatX: str

    def compile(self, splits, mode):
        """Return `theta` and the compiled functions."""
        return self.compile_functions(
            splits, self.n_in, self.n_out, self.batch_size, mode
        )


def fingerprint_of(splits):
    """Return the fingerprint of what (x, y) pairs of shared variables hold."""
    return fingerprint([[v.get_value(borrow=True) for v in pair] for pair in splits])


class ShardWorker:
    """A dask actor: it stays on its worker, and the client calls its methods."""

    _held = None

    def prepare(self, job, minibatches):
        """Map the data and compile for a `job`, a pickled `Job`.

        `minibatches` is the range of those of the training set that this worker will be
        given first. Returns why this worker cannot do the job; None if it can.
        """
        job = pickle.loads(job)
        config.floatX = job.floatX
        try:
            mode = compilation_mode(job.backend)
            splits = job.load_data(job.dataset, dtype="uint8")
        except (BackendError, DatasetError, OSError) as error:
            return f"{error}"
        found = fingerprint_of(splits)
        if found != job.fingerprint:
            return (
                f"{job.dataset}: expected the data that the client sees, "
                f"{job.fingerprint}, found {found}. Give all machines the same files."
            )
        # The training set's shared variables hold the rows of this worker's shards: of
        # files that are mapped, no others are ever read.
        self._train, self._batch_size = splits[0], job.batch_size
        self._whole = [array.get_value(borrow=True) for array in self._train]
        self._hold(minibatches)
        self._theta, self._cost_and_gradient, validate, test = job.compile(splits, mode)
        self._errors = {"validation": validate, "test": test}
        return None

    def costs_and_gradients(self, theta, shards):
        """Add up cost and gradient over the minibatches of each shard.

        `theta` is an array ``(n_parameters,)`` of floatX. `shards` is a list of ranges
        of minibatches of the training set; each begins where the one before it ends, or
        later. Returns for each a float and a gradient ``(n_parameters,)`` of float64.
        """
        self._theta.set_value(theta)
        self._hold(range(shards[0].start, shards[-1].stop))
        return [self._sum(shard) for shard in shards]

    def _hold(self, minibatches):
        if minibatches == self._held:
            return
        self._held = minibatches
        first, stop = minibatches.start, minibatches.stop
        rows = slice(first * self._batch_size, stop * self._batch_size)
        for shared, whole in zip(self._train, self._whole, strict=True):
            shared.set_value(whole[rows], borrow=True)

    def _sum(self, shard):
        cost, gradient = 0.0, np.zeros(self._theta.get_value(borrow=True).shape)
        for i in shard:
            batch_cost, batch_gradient = self._cost_and_gradient(i - self._held.start)
            cost += float(batch_cost)
            gradient += batch_gradient
        return cost, gradient

    def errors(self, theta, parts, split):
        """Compute the fraction of errors of minibatches of a split.

        As `costs_and_gradients`, for `parts` of the "validation" or "test" `split`;
        returns a list of floats for each part, the errors of its minibatches.
        """
        self._theta.set_value(theta)
        model = self._errors[split]
        return [[float(model(i)) for i in part] for part in parts]
