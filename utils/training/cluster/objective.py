"""The objective of conjugate gradient, computed by a cluster's workers."""

import os
import time

import numpy as np
import pytensor
from pytensor.compile.mode import Mode

from utils import datasets
from utils.errors import ClusterError

from ..objective import Objective
from .pool import WorkerPool
from .shards import split_evenly
from .worker import Job, fingerprint_of


class ClusterObjective:
    """The interface of `utils.training.objective.Objective`, on a cluster's workers.

    They import `load_data` and `compile_functions` by name; see `worker.Job`. A path as
    `dataset` names the same files on all machines, and `splits` are these data as the
    client loaded them. Each split is divided into `shards` parts, or into as many as it
    has minibatches if these are fewer. For the rest see `utils.training.Run`.

    Attributes
    ----------
    theta : shared vector, ``(n_in * n_out + n_out,)``, floatX
        The point at which the methods evaluate.

    Raises
    ------
    ClusterError
        If the dataset is arrays, which have no path; or if a worker cannot do the job:
        the message names it, with the reason.
    """

    def __init__(
        self,
        cluster,
        load_data,
        compile_functions,
        *,
        dataset,
        splits,
        n_batches,
        shards,
        notify,
        **model,
    ):
        notify(f"... {shards} shards: the workers map their rows and compile")
        self._splits = splits
        self._job = job = Job(
            load_data,
            compile_functions,
            dataset=_path_for_all(dataset),
            fingerprint=fingerprint_of(splits),
            floatX=pytensor.config.floatX,
            **model,
        )
        n_parameters = (job.n_in + 1) * job.n_out
        self.theta = pytensor.shared(np.zeros(n_parameters, job.floatX), "theta")
        self._shards, self._valid, self._test = (
            split_evenly(range(n), shards) for n in n_batches
        )
        self._n_examples = n_batches[0] * job.batch_size
        self._evaluations, self._seconds = 0, 0.0
        self._pool = WorkerPool(cluster, job, self._shards, notify)

    set_theta = Objective.set_theta

    def costs_and_gradients(self):
        """As `Objective.costs_and_gradients`; the parts are the shards."""
        begin = time.perf_counter()
        sums = self._map("costs_and_gradients", self._shards)
        self._seconds += time.perf_counter() - begin
        self._evaluations += 1
        for shard, (cost, gradient) in zip(self._shards, sums, strict=True):
            yield len(shard), cost, gradient

    def validation_errors(self):
        """As `Objective.validation_errors`."""
        return sum(self._map("errors", self._valid, "validation"), [])

    def test_errors(self):
        """As `Objective.test_errors`."""
        return sum(self._map("errors", self._test, "test"), [])

    def functions(self):
        """As `Objective.functions`: those of this process, to look at their graphs."""
        return self._job.compile(self._splits, Mode("py", "fast_compile"))[1:]

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
    """Return the dataset's name as workers with other working folders find it."""
    if datasets.are_arrays(dataset):
        raise ClusterError(
            "expected the path of a dataset, from which each worker of the cluster "
            "maps its own rows, found arrays: save them as an .npz, or each with "
            "numpy.save as x_train.npy, y_train.npy, x_test.npy and y_test.npy in a "
            "folder that all machines see, and name its path."
        )
    name = os.fsdecode(dataset)
    if published := datasets.published_name(name):
        name = datasets.find(published)
    return os.path.abspath(name) if os.path.exists(name) else name
