"""The processes of a cluster, started here or found at a scheduler's address.

Every run imports this module: asyncio, which only a cluster needs, is imported where it
is used.
"""

import contextlib
import logging
import textwrap
from importlib.util import find_spec

from utils.errors import ClusterError
from utils.text import number

ANSWER_SECONDS = 15  # for a scheduler to answer
CONNECT_SECONDS = 5  # of these, for a connection
WORKER_SECONDS = 5  # for a first worker to join a scheduler
START_SECONDS = 60  # for the workers of a cluster on this machine to start
CLOSE_SECONDS = 10


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

            from .processes import check_room, event_loop
        except ImportError as error:
            raise ClusterError(
                f"a cluster needs dask.distributed ({error}). Install it with "
                "`python -m pip install -e '.[cluster]'`."
            ) from error
        super().__init__()
        self._notify = notify or (lambda line: None)
        self.grace = 0 if scheduler is None else WORKER_SECONDS
        self.client, self._servers = None, []
        # By default a connection is tried for half a minute.
        timeouts = {"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}
        # This package reports an error in one line; distributed would add tracebacks
        # from its event loop.
        for name in list(logging.root.manager.loggerDict):
            if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            check_room(workers or 0)
            self.enter_context(dask.config.set(timeouts))
            self._loop = self.enter_context(event_loop())
            self.callback(lambda: self._wait(self._end()))
            if scheduler is None:
                self._notify(f"... starting {workers} worker processes")
                scheduler = self._wait(self._start(workers))
            self._wait(self._connect(scheduler, workers or 1))
        except BaseException:
            self.close()
            raise
        self._notify(f"... {self.n_workers} workers; dashboard: {self._dashboard}")

    async def _start(self, n_workers):
        import asyncio

        from distributed import Scheduler

        from .processes import WorkerProcess

        here = {"host": "127.0.0.1", "port": 0}
        remedy = "Start fewer; without --workers, this process computes alone."
        async with answered(START_SECONDS, "the workers did not start", remedy):
            scheduler = Scheduler(**here, dashboard_address="127.0.0.1:0")
            self._servers.append([scheduler])
            await scheduler
            workers = [
                WorkerProcess(
                    scheduler.address,
                    **here,
                    nthreads=1,
                    # The system's file cache would be counted as the worker's own.
                    memory_limit=0,
                    silence_logs=logging.CRITICAL + 1,
                    death_timeout=START_SECONDS,
                )
                for _ in range(n_workers)
            ]
            self._servers.append(workers)
            await asyncio.gather(*workers)
        return scheduler.address

    async def _connect(self, address, n_workers):
        from distributed import Client

        problem = f"{address}: no scheduler answers there"
        remedy = "Start one with `dask scheduler`, and give the address that it prints."
        async with answered(ANSWER_SECONDS, problem, remedy):
            self.client = Client(address, asynchronous=True, direct_to_workers=True)
            self._servers.append([self.client])
            await self.client
            self._address = address = self.client.scheduler.address
            self._dashboard = self._dashboard_of(await self.client.scheduler.identity())
        problem = f"{address}: the scheduler has no workers"
        remedy = f"Start some with `dask worker {address} --memory-limit 0`."
        async with answered(WORKER_SECONDS + ANSWER_SECONDS, problem, remedy):
            await self.client.wait_for_workers(n_workers, timeout=WORKER_SECONDS)
        self.n_workers = len(await self.addresses())

    def _dashboard_of(self, identity):
        if "dashboard" not in identity["services"]:
            return "none at this scheduler"
        link = self.client.dashboard_link
        if find_spec("bokeh") is None:
            link += " (needs bokeh: python -m pip install bokeh)"
        return link

    async def addresses(self):
        """Return the workers' addresses; a `ClusterError` if the scheduler is gone."""
        problem = f"{self._address}: the scheduler is gone"
        remedy = (
            "Start it and its workers, and run again (a run with --checkpoint can be "
            "resumed)."
        )
        async with answered(ANSWER_SECONDS, problem, remedy):
            identity = await self.client.scheduler.identity(n_workers=-1)
            return sorted(identity["workers"])

    def workers(self):
        """`addresses`, from outside of the cluster's event loop."""
        return self._wait(self.addresses())

    def submit(self, coroutine):
        """Run a coroutine in the event loop; returns a `concurrent.futures.Future`."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _wait(self, coroutine):
        future = self.submit(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()  # where a signal has ended the wait

    async def _end(self):
        """Disconnect, then end what was started; nobody needs an error of that."""
        import asyncio

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                for servers in reversed(self._servers):
                    ends = [server.close() for server in servers]
                    await asyncio.gather(*ends, return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=1)


@contextlib.asynccontextmanager
async def answered(seconds, problem, remedy):
    """Give a block so many seconds; all that it raises is a `ClusterError` of a line.

    distributed has no class for its errors: they are of Python's, and of those that it
    uses. The first cause is the one that is told.
    """
    import asyncio

    try:
        async with asyncio.timeout(seconds):
            yield
    except ClusterError:
        raise
    except Exception as error:
        cause = error
        while isinstance(cause.__cause__, Exception):
            cause = cause.__cause__
        reason = f"{type(cause).__name__}: {cause}"
        if isinstance(cause, TimeoutError) and not str(cause):
            reason = f"no answer in {seconds} seconds"
        reason = textwrap.shorten(reason, 200, placeholder=" ...")
        raise ClusterError(f"{problem} ({reason}). {remedy}") from error
