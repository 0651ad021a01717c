"""Worker processes on this machine. Importing this module imports distributed."""

import contextlib
import signal
import threading
from multiprocessing import resource_tracker

from distributed import Nanny


class WorkerProcess(Nanny):
    """A spawned worker process that is not started again after it was killed."""

    async def instantiate(self):
        """Start the process, the first time."""
        if self.process is not None:
            return self.process.status
        return await super().instantiate()

    async def kill(self, timeout=2, reason="nanny-kill"):
        """End the process, by force if it still computes after 1.6 seconds."""
        await super().kill(timeout=2, reason=reason)


@contextlib.contextmanager
def interrupts_kept_from_children():
    """Keep Ctrl-C from the threads and processes that the block starts.

    The terminal sends it to all processes of the script, and the workers would end,
    with tracebacks, before the script has stopped. It arrives here after the block.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Python before 3.13 unblocks the signal when it starts this process.
    resource_tracker.ensure_running()
    # Started processes inherit the mask; ignoring it instead would lose it here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
