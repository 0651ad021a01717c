"""Worker processes on this machine, and the event loop in which distributed runs.

Importing this module imports distributed.
"""

import asyncio
import contextlib
import os
import signal
import threading
from multiprocessing import resource_tracker

from distributed import Nanny, Status

from utils.errors import ClusterError

from ..memory import memory_at_hand

# A start needs about so many, and so many more for each worker.
FILES, FILES_OF_WORKER = 30, 11
THREADS, THREADS_OF_WORKER = 12, 12
MEMORY_OF_WORKER = 100 * 2**20  # with PyTensor imported, and no data yet


class WorkerProcess(Nanny):
    """A spawned worker process that is not started again after it was killed."""

    async def instantiate(self):
        """Start the process, the first time."""
        if self.process is not None:
            return self.process.status
        return await super().instantiate()

    async def kill(self, timeout=2, reason="nanny-kill"):
        """End the process, by force if it starts, or still computes after 1.6 s."""
        if self.process.status in (Status.init, Status.starting):
            # distributed ends none that has not said its address.
            process = self.process.process
            with contextlib.suppress(AttributeError, ValueError):  # none, or it ended
                await process.kill()
                await process.join(timeout)
        else:
            await super().kill(timeout=2, reason=reason)


@contextlib.contextmanager
def event_loop():
    """An asyncio event loop that runs in a thread of its own.

    Ctrl-C is kept from that thread, and from the processes that it starts: the terminal
    sends it to all processes of the script, and the workers would end, with tracebacks,
    before the script has stopped.
    """
    loop = asyncio.SelectorEventLoop()

    def run():
        if hasattr(signal, "pthread_sigmask"):
            # Python before 3.13 unblocks the signal when it starts this process.
            resource_tracker.ensure_running()
            # Started processes inherit the mask.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        loop.run_forever()

    thread = threading.Thread(target=run, name="cluster", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def check_room(workers):
    """Raise a `ClusterError` where files, threads or memory would not suffice.

    Files and threads are opened here and given back: where they run out in the middle
    of a start, distributed waits a minute for connections that nobody accepts.
    """
    most = memory_at_hand() / MEMORY_OF_WORKER
    if workers > most:
        raise ClusterError(
            f"expected at most {most:.0f} workers, for which the memory at hand "
            f"suffices, found {workers}: start about as many as there are cores."
        )
    gate, files, threads = threading.Event(), [], []
    try:
        for _ in range(FILES + workers * FILES_OF_WORKER):
            files.append(open(os.devnull))
        for _ in range(THREADS + workers * THREADS_OF_WORKER):
            thread = threading.Thread(target=gate.wait)
            thread.start()
            threads.append(thread)
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            "the limits of this process leave too few open files (`ulimit -n`) or "
            f"threads (`ulimit -u`) for a cluster ({error}): raise them, or start "
            "fewer workers."
        ) from error
    finally:
        gate.set()
        for file in files:
            file.close()
        for thread in threads:
            thread.join()
