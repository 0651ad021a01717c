"""Stop a run on Ctrl-C or SIGTERM: at its next minibatch, on a second one at once."""

import contextlib
import signal
import threading

from .monitor import TrainingStopped


@contextlib.contextmanager
def stopping(monitor, *signals):
    """Have signals, such as ``signal.SIGINT``, stop a monitor's run in the block.

    The first signal within the training loop ends it at the next minibatch. Outside of
    the loop, and on a second signal, the block is left at once. Both raise a
    `TrainingStopped`. A third has the effect that it has outside of the block. Signals
    that were ignored stay ignored, as under ``nohup``. Outside of the main thread,
    where Python handles no signals, nothing changes.
    """
    asked, before = False, {}

    def handle(signal_number, frame):
        nonlocal asked
        if monitor.training and not asked:
            asked = True
            monitor.request_stop(signal_number)
        else:
            signal.signal(signal_number, before[signal_number])
            when = "at once; its files are whole" if asked else "outside of training"
            raise TrainingStopped(signal_number, when)

    if threading.current_thread() is threading.main_thread():
        for number in signals:
            before[number] = signal.getsignal(number)
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
