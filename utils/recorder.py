"""What a training run tells the world while it runs."""

import sys


class Recorder:
    """Prints the tutorial's lines, and shows progress and notices.

    The training loop calls it after each minibatch and at each validation, so that
    whatever else wants to know of a run hangs on this one object.

    Parameters
    ----------
    quiet : bool
        True (default) silences progress and notices on standard error; the tutorial's
        own lines are always printed on standard output.
    """

    def __init__(self, quiet=True):
        self.quiet = quiet
        self._bar = None

    def say(self, line):
        """Print one of the tutorial's lines on standard output, at once."""
        self._print(line, sys.stdout)

    def notice(self, line):
        """Print a remark on standard error, unless quiet."""
        if not self.quiet:
            self._print(line, sys.stderr)

    def start(self, total, unit):
        """Begin a progress bar of `total` steps; only a terminal is shown one."""
        if not self.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True)

    def minibatch(self, state, cost):
        """Called after each minibatch, with its cost."""
        if self._bar is not None:
            self._bar.update()

    def validation(self, state, validation_loss):
        """Called after each validation, with its error (a fraction of 1)."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"validation error {validation_loss:.2%}")

    def close(self):
        """Take the progress bar away; safe to call more than once."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _print(self, line, stream):
        if self._bar is None:
            print(line, file=stream, flush=True)
        else:
            self._bar.write(line, file=stream)
            stream.flush()
