"""What training asks of the data, answered by a cluster's workers."""

import os
import time

import numpy as np
import pytensor

from utils import datasets

from .fingerprint import fingerprint
from .pool import WorkerPool
from .shards import runs
from .worker import Job


class ClusterObjective:
    """The interface of `utils.training.objective.Objective`, on a cluster's workers.

    Parameters
    ----------
    cluster : utils.training.cluster.Cluster
    load_data, compile_functions : callable
        See `worker.Job`.
    dataset : str or path
        A path is that of the same files on all machines.
    splits : list of three (x, y) pairs of shared variables
        What the client sees of them.
    n_in, n_out, batch_size : int
        Features, classes, and examples in a minibatch.
    n_batches : sequence of int
        Objective of the training, validation and test split.
    shards : int
        Runs of minibatches into which each split is cut, as far as it has so many.
    backend : str
    notify : callable
        Called with one-line remarks.

    Attributes
    ----------
    theta : shared vector, ``(n_in * n_out + n_out,)``, floatX
        The point that the methods speak of.

    Raises
    ------
    ClusterError
        Where a worker cannot do the job; it is named, with the reason.
    """

    def __init__(
        self,
        cluster,
        load_data,
        compile_functions,
        *,
        dataset,
        splits,
        n_in,
        n_out,
        batch_size,
        n_batches,
        shards,
        backend,
        notify,
    ):
        floatX = pytensor.config.floatX
        self.theta = pytensor.shared(np.zeros(n_in * n_out + n_out, floatX), "theta")
        self._shards, self._valid, self._test = (
            runs(range(n), shards) for n in n_batches
        )
        self._n_examples = n_batches[0] * batch_size
        self._evaluations, self._seconds = 0, 0.0
        notify(f"... {shards} shards: the workers map their rows and compile")
        job = Job(
            load_data=load_data,
            compile_functions=compile_functions,
            dataset=_path_for_all(dataset),
            fingerprint=fingerprint(splits),
            n_in=n_in,
            n_out=n_out,
            batch_size=batch_size,
            backend=backend,
            floatX=floatX,
        )
        self._pool = WorkerPool(cluster, job, self._shards, notify)

    def set_theta(self, theta_value):
        """Go to another point, ``(n_parameters,)`` of any floating type."""
        self.theta.set_value(theta_value.astype(self.theta.dtype), borrow=True)

    def costs_and_gradients(self):
        """Cost and gradient of each shard, in their order.

        Yields
        ------
        n_batches : int
            Objective of the shard.
        cost : float
            The sum of their costs.
        gradient : numpy.ndarray, ``(n_parameters,)`` float64
            The sum of their gradients.
        """
        begin = time.perf_counter()
        sums = self._map("costs_and_gradients", self._shards)
        self._seconds += time.perf_counter() - begin
        self._evaluations += 1
        for shard, (cost, gradient) in zip(self._shards, sums, strict=True):
            yield len(shard), cost, gradient

    def validation_errors(self):
        """The fraction of errors of each validation minibatch, a list."""
        return sum(self._map("errors", self._valid, "validation"), [])

    def test_errors(self):
        """The fraction of errors of each test minibatch, a list."""
        return sum(self._map("errors", self._test, "test"), [])

    def _map(self, method, parts, *arguments):
        theta = self.theta.get_value(borrow=True)
        return self._pool.map(method, theta, parts, *arguments)

    def __str__(self):
        rate = self._evaluations * self._n_examples / max(self._seconds, 1e-9)
        return (
            f"{self._evaluations} evaluations, {len(self._pool)} workers, "
            f"{rate:,.0f} examples/s"
        )


def _path_for_all(dataset):
    """The dataset's name as workers with other working folders understand it."""
    name = os.fsdecode(dataset)
    if name == datasets.MNIST:
        name = datasets.find_mnist()
    return os.path.abspath(name) if os.path.exists(name) else name
