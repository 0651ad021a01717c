"""The workers that are ready for a run, as they join and are lost."""

import asyncio
import concurrent.futures
import pickle
import time
from itertools import zip_longest

from utils.errors import ClusterError

from .shards import split_evenly
from .worker import ShardWorker

LOOK_SECONDS = 2  # between two looks for workers that have joined
CALL_SECONDS = 5  # without an answer, until the scheduler is asked for the worker
# In the errors of a worker that is closing or gone; distributed has no class for them.
SIGNS_OF_LOSS = ("KilledWorker", "Actor was lost", "after shutdown")


class WorkerLost(Exception):
    """A worker that no longer answers."""


class WorkerPool:
    """Workers that compute together; some may join or be lost at any time.

    Each worker of the `cluster` is given the `job`, a `worker.Job`, and its first rows
    of the training set from `shards`, a list of ranges of minibatches.
    """

    def __init__(self, cluster, job, shards, notify):
        self._cluster, self._job, self._notify = cluster, job, notify
        self._first, self._next_look = shards[0], 0.0
        self._ready, self._joining, self._refused = {}, {}, set()
        addresses = cluster.workers()
        parts = split_evenly(shards, len(addresses))
        for address, part in zip_longest(addresses, parts, fillvalue=shards[:1]):
            self._join(address, range(part[0].start, part[-1].stop))
        complaints = []
        for address, joining in self._joining.items():
            try:
                self._ready[address] = joining.result()
            except (ClusterError, WorkerLost) as error:
                complaints.append(str(error))
        self._joining = {}
        if complaints:
            self._cluster.workers()  # raises if the scheduler is gone
            more = f" (and {len(complaints) - 3} more)" if len(complaints) > 3 else ""
            raise ClusterError("; ".join(complaints[:3]) + more)

    def __len__(self):
        return len(self._ready)

    def map(self, method, theta, parts, *arguments):
        """Share out parts of the work, consecutive ones to each worker.

        `method` is the name of one of `ShardWorker`. It is called on each worker with
        `theta`, a list of some of the parts, and `arguments`. Returns its results for
        all parts, in their order. Raises `ClusterError` if no worker is left, or one
        fails in another way than by being lost.
        """
        results, lost = {}, 0
        while len(results) < len(parts):
            self._welcome()
            missing = [i for i in range(len(parts)) if i not in results]
            ready = self._ready.items()
            shares = split_evenly(missing, len(ready))
            answers = []
            for (address, actor), share in zip(ready, shares, strict=False):
                mine = [parts[i] for i in share]
                call = self._call(address, actor, method, theta, mine, *arguments)
                answers.append((address, share, call))
            for address, share, answer in answers:
                try:
                    results.update(zip(share, answer.result(), strict=True))
                except WorkerLost:
                    lost += 1
                    del self._ready[address]
                    self._next_look = 0.0
                    self._notify(
                        f"... worker {address} was lost, {len(self._ready)} left"
                    )
            if lost > len(parts) + 3:
                raise ClusterError(
                    f"workers were lost {lost} times in one evaluation: see on their "
                    "machines why they end (memory that runs out, a data file cut "
                    "short)."
                )
        return [results[i] for i in range(len(parts))]

    def _welcome(self):
        """Take in workers that have joined; wait a while for one if none is left."""
        if self._ready and time.monotonic() < self._next_look:
            return
        deadline = time.monotonic() + self._cluster.grace
        while True:
            for address in self._cluster.workers():
                known = self._ready.keys() | self._joining.keys() | self._refused
                if address not in known:
                    self._join(address, self._first)
            for address in [a for a, j in self._joining.items() if j.done()]:
                try:
                    self._ready[address] = self._joining.pop(address).result()
                    n = len(self._ready)
                    self._notify(f"... worker {address} joined, {n} at work")
                except WorkerLost:
                    pass
                except ClusterError as error:
                    self._refused.add(address)
                    self._notify(f"... not used: {error}")
            if self._ready:
                self._next_look = time.monotonic() + LOOK_SECONDS
                return
            if not self._joining and time.monotonic() >= deadline:
                raise ClusterError(
                    "all workers are gone: see on their machines why they ended, start "
                    "some, and run again (a run with --checkpoint can be resumed)."
                )
            time.sleep(0.1)

    def _join(self, address, minibatches):
        client = self._cluster.client

        async def prepare():
            # As bytes, because otherwise the scheduler would import the class.
            pickled = pickle.dumps(ShardWorker())
            # A process may have clients of several clusters: this one is meant.
            with client.as_current():
                actor = await client.submit(
                    pickle.loads, pickled, actor=True, workers=[address], pure=False
                )
            # As bytes too: to what it cannot unpickle, a worker would never answer.
            complaint = await actor.prepare(pickle.dumps(self._job), minibatches)
            if complaint is not None:
                raise ClusterError(f"worker {address}: {complaint}")
            return actor

        self._joining[address] = self._cluster.submit(self._answer(address, prepare()))

    def _call(self, address, actor, method, *arguments):
        async def call():
            return await getattr(actor, method)(*arguments)

        return self._cluster.submit(self._answer(address, call()))

    async def _answer(self, address, coroutine):
        """Return a worker's answer, or raise `WorkerLost` or its error by name."""
        task = asyncio.ensure_future(coroutine)
        lost = WorkerLost(f"worker {address} was lost before it was ready")
        try:
            while not (await asyncio.wait({task}, timeout=CALL_SECONDS))[0]:
                if address not in await self._cluster.addresses():
                    raise lost
            return task.result()
        except (OSError, concurrent.futures.CancelledError, asyncio.CancelledError):
            raise lost from None
        except (ClusterError, WorkerLost):
            raise
        except Exception as error:
            if any(sign in f"{error!r}" for sign in SIGNS_OF_LOSS):
                raise lost from None
            await self._cluster.addresses()  # raises if the scheduler is gone
            found = " ".join(f"{type(error).__name__}: {error}".split())
            raise ClusterError(
                f"worker {address}: {found}. All machines need "
                "the same version of this program, installed or in PYTHONPATH."
            ) from error
        finally:
            task.cancel()  # where nobody waits for it any more
