"""Files that are written while training goes on."""

from concurrent.futures import ThreadPoolExecutor

from utils.files import write_atomic


class Writer:
    """Writes files whole, one at a time, in a thread of its own.

    To have a file reach the disk takes some 10 ms, in which the processor is free: as
    long as an epoch of MNIST. Where a file is to be written again before its turn has
    come, only the newest content is.

    Parameters
    ----------
    notify : callable
        Called with a line of text when a file fails that did not before.

    Attributes
    ----------
    failed : dict
        The error of each path whose last attempt failed.
    """

    def __init__(self, notify):
        self.failed = {}
        self._notify = notify
        self._waiting = {}
        self._thread = ThreadPoolExecutor(max_workers=1)

    def write(self, path, data):
        """Have the bytes `data` written to `path`; returns at once."""
        self._waiting[path] = data
        self._thread.submit(self._write, path)

    def wait(self):
        """Return when all that was asked for has been tried."""
        self._thread.submit(int).result()

    def _write(self, path):
        data = self._waiting.pop(path, None)
        if data is None:  # its newest content was written at an earlier turn
            return
        try:
            write_atomic(path, data)
        except OSError as error:
            known = path in self.failed
            self.failed[path] = error
            if not known:
                self._notify(f"{error} Training goes on.")
        else:
            self.failed.pop(path, None)
