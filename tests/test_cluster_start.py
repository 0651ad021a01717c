"""A cluster that cannot start, is stopped while it starts, or loses its scheduler.

Each ends in one line at once, and leaves no process and no thread.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import threading

import numpy as np
import pytest
from conftest import needs_posix

from utils.training import Monitor, TrainingStopped
from utils.training.cluster import Cluster, ClusterError, cluster
from utils.training.stop_signals import stopping

distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")


@contextlib.contextmanager
def server(answer):
    """A server at a port of its own, which says the same to everyone, or nothing."""

    def serve():
        with contextlib.suppress(OSError):
            while answer:
                connections.append(listener.accept()[0])
                connections[-1].sendall(answer)

    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield "tcp://{}:{}".format(*listener.getsockname())
        listener.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


@contextlib.contextmanager
def ends_in(error, match):
    """The block raises an error of one line, and all that it started has ended."""

    def started():
        threads = [t for t in threading.enumerate() if t.name == "cluster"]
        return {*multiprocessing.active_children(), *threads}

    before = started()
    with pytest.raises(error, match=match) as raised:
        yield
    assert "\n" not in str(raised.value)
    assert started() <= before


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        bytes(64),
        (8).to_bytes(8, "little") + b"\1" + bytes(7),
        np.random.default_rng(7).bytes(4096),
    ],
)
def test_port_without_a_scheduler_behind_it(answer, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with server(answer) as address:
        with ends_in(ClusterError, f"^{address}: no scheduler answers there "):
            Cluster(scheduler=address)


@pytest.mark.parametrize(
    "address, reason",
    [
        ("tls://a:1", "TypeError.*ssl_context"),  # it wants certificates
        ("tcp://127.0.0.1:9", "no answer in 0.5 s"),  # where nobody listens
    ],
)
def test_address_without_a_scheduler(address, reason, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with ends_in(ClusterError, f"^{address}: no scheduler answers there .{reason}"):
        Cluster(scheduler=address)


@needs_posix
def test_too_few_files():
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (30, before[1]))
    try:
        with ends_in(ClusterError, "`ulimit -n`.*Too many open files"):
            Cluster(workers=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_too_little_memory():
    """For ten million processes no machine has it."""
    with ends_in(ClusterError, "at most [0-9]+ workers, .*found 10000000: start about"):
        Cluster(workers=10**7)


def test_too_few_threads(monkeypatch):
    """As under ``ulimit -u``, which counts threads, and does not hold for root."""
    start, n = threading.Thread.start, 0

    def start_twenty(self):
        nonlocal n
        n += 1
        if n > 20:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_twenty)
    with ends_in(ClusterError, "`ulimit -u`.*can.t start new thread"):
        Cluster(workers=2)


@needs_posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signal_while_workers_start(name, monkeypatch):
    number = getattr(signal, name)

    async def signalled(*_):
        os.kill(os.getpid(), number)
        await asyncio.sleep(60)

    # Asked when the process has been started, until it says its address.
    method = "_wait_until_connected"
    monkeypatch.setattr(distributed.nanny.WorkerProcess, method, signalled)
    with ends_in(TrainingStopped, f"stopped by {name}"):
        with stopping(Monitor(), number):
            Cluster(workers=1)


def test_worker_that_fails_to_start(monkeypatch):
    async def failing(*_):
        raise KeyError("of distributed")

    method = "_wait_until_connected"
    monkeypatch.setattr(distributed.nanny.WorkerProcess, method, failing)
    with ends_in(ClusterError, "workers did not start .KeyError: 'of distributed'"):
        Cluster(workers=2)


@pytest.fixture
def scheduler():
    """A scheduler and a worker in a thread of this process; called, it ends them."""
    from utils.training.cluster.processes import event_loop

    async def start():
        here = {"host": "127.0.0.1", "port": 0}
        scheduler = await distributed.Scheduler(**here, dashboard_address=":0")
        worker = await distributed.Worker(scheduler.address, nthreads=1, **here)
        return scheduler, worker

    async def end():
        await scheduler.close()
        await worker.close()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    with event_loop() as loop:
        scheduler, worker = run(start())
        yield scheduler.address, lambda: run(end())
        run(end())


def test_scheduler_that_ends(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    address, end = scheduler
    with Cluster(scheduler=address) as connected:
        assert len(connected.workers()) == connected.n_workers == 1
        end()
        with pytest.raises(ClusterError, match=f"^{address}: the scheduler is gone "):
            connected.workers()
