"""Ctrl-C and SIGTERM ask a run to stop; a second one ends it at once."""

import contextlib
import signal
import threading

from utils.training.monitor import TrainingStopped


@contextlib.contextmanager
def stopping(monitor):
    """While the block runs, have SIGINT and SIGTERM stop the run of `monitor`.

    The first one, while the training loop runs, has it end at the next minibatch.
    Before and after, and where a second one comes, the block is left at once. A third
    is the system's business. Signals that were ignored stay so, as under ``nohup``.
    Outside of the main thread, where Python handles no signals, nothing changes.

    Parameters
    ----------
    monitor : utils.training.monitor.Monitor

    Raises
    ------
    utils.training.monitor.TrainingStopped
    """
    asked = False

    def handle(signal_number, frame):
        nonlocal asked
        if monitor.training and not asked:
            asked = True
            monitor.request_stop(signal_number)
        else:
            signal.signal(signal_number, signal.SIG_DFL)
            when = "at once; its files are whole" if asked else "outside of training"
            raise TrainingStopped(signal_number, when)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.getsignal(number)
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
