"""Write files while training goes on."""

from concurrent.futures import ThreadPoolExecutor

from utils.files import write_atomic


class Writer:
    """A thread that writes files atomically, one at a time.

    Until a file has reached the disk some 10 ms pass, as long as an epoch of MNIST, in
    which the processor is free. If a file is to be written again before its turn has
    come, only its newest content is written.

    Parameters
    ----------
    log : callable
        Called with a line of text when a file fails whose last attempt did not.

    Attributes
    ----------
    failed : dict
        The error of each path whose last attempt failed.
    """

    def __init__(self, log):
        self.failed = {}
        self._log = log
        self._waiting, self._last = {}, None
        self._thread = ThreadPoolExecutor(max_workers=1)

    def write(self, path, data):
        """Queue the bytes `data` for the file `path`, and return at once."""
        self._waiting[path] = data
        self._last = self._thread.submit(self._write, path)

    def wait(self):
        """Wait until each file in the queue has been written, or has failed."""
        if self._last is not None:
            self._last.exception()

    def _write(self, path):
        data = self._waiting.pop(path, None)
        if data is None:  # its newest content was written at an earlier turn
            return
        try:
            write_atomic(path, data)
        except OSError as error:
            is_new = path not in self.failed
            self.failed[path] = error
            if is_new:
                self._log(f"{error} Training goes on.")
        else:
            self.failed.pop(path, None)
