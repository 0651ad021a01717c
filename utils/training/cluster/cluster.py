"""The processes of a cluster, started here or found at a scheduler's address."""

import contextlib
import logging
from importlib.util import find_spec

from utils.errors import ClusterError
from utils.text import number

CONNECT_SECONDS = 5  # for a scheduler to answer
WORKER_SECONDS = 5  # for a first worker to join a scheduler
START_SECONDS = 60  # for the workers of a cluster on this machine to start


class Cluster(contextlib.ExitStack):
    """A dask.distributed cluster, as a context manager.

    Its end disconnects, and ends the processes that this object started.

    Parameters
    ----------
    workers : int, optional
        Number of worker processes to start on this machine. Each has one thread, or as
        many as ``OMP_NUM_THREADS`` says. They end with this process at the latest.
    scheduler : str, optional
        Instead of that, the address of a ``dask scheduler``, ``tcp://host:8786``, whose
        workers are used. The client must be able to reach the workers too.
    notify : callable, optional
        Called with each one-line remark, such as the dashboard's address.

    Attributes
    ----------
    n_workers : int
        Workers at the start.
    client : distributed.Client

    Raises
    ------
    ClusterError
        If it cannot be started, or there is no scheduler or worker.
    """

    def __init__(self, workers=None, scheduler=None, notify=None):
        if (workers is None) == (scheduler is None):
            raise ClusterError(
                "expected either a number of workers or the address of a scheduler, "
                f"found workers {workers!r} and scheduler {scheduler!r}: give one."
            )
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise ClusterError(
                f"workers is {number(workers)}: expected a whole number of at least 1."
            )
        try:
            import dask
            import distributed
        except ImportError as error:
            raise ClusterError(
                f"a cluster needs dask.distributed ({error}). Install it with "
                "`python -m pip install -e '.[cluster]'`."
            ) from error
        super().__init__()
        self._notify = notify or (lambda line: None)
        self.grace = 0 if scheduler is None else WORKER_SECONDS
        # By default a connection is tried for half a minute.
        timeouts = {"distributed.comm.timeouts.connect": f"{WORKER_SECONDS}s"}
        self.enter_context(dask.config.set(timeouts))
        # This package reports an error in one line; distributed would add tracebacks
        # from its event loop.
        for name in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            if scheduler is None:
                address = self._start(distributed, workers)
            else:
                address = scheduler
            self._connect(distributed, address, workers or 1)
        except BaseException:
            self.close()
            raise

    def _start(self, distributed, workers):
        from .processes import WorkerProcess, interrupts_kept_from_children

        self._notify(f"... starting {workers} worker processes")
        with interrupts_kept_from_children():
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                worker_class=WorkerProcess,
                # The system's file cache would be counted as the worker's own memory.
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL + 1,
                death_timeout=START_SECONDS,
            )
        self.callback(cluster.close, timeout=5)
        return cluster

    def _connect(self, distributed, address, n_workers):
        try:
            self.client = distributed.Client(
                address, timeout=CONNECT_SECONDS, direct_to_workers=True
            )
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{address}: no scheduler answers there ({error}). Start one with "
                "`dask scheduler`, and give the address that it prints."
            ) from error
        self.callback(self.client.close, timeout=5)
        self._address = self.client.scheduler.address
        try:
            seconds = START_SECONDS if self.grace == 0 else WORKER_SECONDS
            self.client.wait_for_workers(n_workers, timeout=seconds)
        except (OSError, distributed.TimeoutError) as error:
            raise ClusterError(
                f"{self._address}: the scheduler has no workers ({error}). Start some "
                f"with `dask worker {self._address} --memory-limit 0`."
            ) from error
        self.n_workers = len(self.workers())
        self._notify(f"... {self.n_workers} workers; dashboard: {self._dashboard()}")

    def _dashboard(self):
        if "dashboard" not in self.client.scheduler_info()["services"]:
            return "none at this scheduler"
        link = self.client.dashboard_link
        if find_spec("bokeh") is None:
            link += " (needs bokeh: python -m pip install bokeh)"
        return link

    def workers(self):
        """Return the workers' addresses; a `ClusterError` if the scheduler is gone."""
        try:
            return sorted(self.client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"{self._address}: the scheduler is gone ({error}). Start it and its "
                "workers, and run again (a run with --checkpoint can be resumed)."
            ) from error
