"""Output of a run while it trains: lines, progress, files. It can be asked to stop."""

import signal
import sys
import time

from utils.files.writer import Writer
from utils.text import shown

# What matters most stands first, and the bar's width is fixed: a narrow terminal cuts
# off the rest, however long the numbers are.
BAR = "{l_bar}{bar:10}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
COUNT = "{desc}: {n_fmt} minibatches [{elapsed}]"


def at_prompt():
    """True where a person enters the statements that are run, in a notebook too."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def in_notebook():
    """True where they are entered in a notebook, or in what else shows its widgets."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class TrainingStopped(KeyboardInterrupt):
    """A run that was asked to stop, and did.

    Attributes
    ----------
    signal_number : int
        ``signal.SIGINT``, ``signal.SIGTERM`` or another.
    result : TrainingResult or None
        That of the run so far; None where it has no model yet, or was left at once.
    """

    def __init__(self, signal_number, message, result=None):
        name = signal.Signals(signal_number).name
        super().__init__(shown(f"stopped by {name} {message}"))
        self.signal_number, self.result = signal_number, result

    def _render_traceback_(self):
        """The lines that IPython shows: no traceback, for nothing went wrong."""
        return [str(self)]


class Monitor:
    """Prints the tutorial's lines, shows progress, and writes the files of a run.

    Parameters
    ----------
    quiet : bool, optional
        True silences progress and remarks; the tutorial's own lines are printed on
        standard output in any case. Default: False at a prompt, that is in a notebook,
        in IPython or in Python's own, and True in a program.
    epoch_lines : bool
        False leaves out those lines that are printed during training, in place of
        which a bar may be enough. Default True.

    Attributes
    ----------
    training : bool
        True while the training loop runs.
    stop_signal : int or None
        The signal that asked the run to stop.
    history : list of tuple or None
        ``TrainingState.history`` of the run that was started; None before.
    files : utils.files.writer.Writer
        Writes the run's files while training goes on, also where one fails.
    """

    def __init__(self, quiet: bool | None = None, epoch_lines: bool = True):
        self.quiet = not at_prompt() if quiet is None else quiet
        self.epoch_lines = epoch_lines
        self.training = False
        self.stop_signal: int | None = None
        self.history: list | None = None
        self._bar = None
        self._start = self._end = 0.0
        self.files = Writer(self.log)

    def say(self, line: str) -> None:
        """Print one of the tutorial's lines on standard output, at once.

        What is not printable is escaped, ends of lines and tabs apart.
        """
        if self.epoch_lines or not self.training:
            self._print(shown(line, keep="\n\t"), sys.stdout)

    def log(self, line: str) -> None:
        """Print a remark, as `note` does, unless quiet."""
        if not self.quiet:
            self.note(line)

    def note(self, line: str) -> None:
        """Print a line on standard error, in a notebook on standard output.

        A notebook shows standard error in red, as if something were wrong. What is not
        printable is escaped: file names stand in such lines.
        """
        self._print(shown(line), sys.stdout if in_notebook() else sys.stderr)

    def start(self, history: list, total: int | None = None, initial: int = 0) -> None:
        """Start the clock, and in a terminal or notebook a progress bar.

        `history` is ``TrainingState.history``, which ends with the seconds so far. Of
        `total` minibatches, which if None (default) are only counted, a resumed run
        has trained on `initial` before.
        """
        self.training, self.stop_signal, self.history = True, None, history
        seconds = history[-1][-1] if history else 0.0
        self._start, self._end = time.perf_counter() - seconds, 0.0
        notebook = in_notebook()
        if self.quiet or not (notebook or sys.stderr.isatty()):
            return
        if notebook:
            from tqdm.auto import tqdm  # a widget where there is one, otherwise text

            style = {"unit": " minibatches", "file": sys.stdout}
        else:
            from tqdm import tqdm

            bar_format = COUNT if total is None else BAR
            style = {"bar_format": bar_format, "leave": False, "dynamic_ncols": True}
        self._bar = tqdm(desc="training", total=total, initial=initial, **style)

    def advance(self, n_minibatches: int) -> None:
        """Move the progress bar."""
        if self._bar is not None:
            self._bar.update(n_minibatches)

    def show(self, text: str, total: int | None = None) -> None:
        """Show a remark beside the progress bar, whose total is now `total`."""
        if self._bar is not None:
            self._bar.total = total
            if hasattr(self._bar, "container") and total:
                self._bar.container.children[1].max = total  # tqdm leaves its widget's
            self._bar.set_description_str(shown(text))

    @property
    def seconds(self) -> float:
        """Seconds of training, those of a resumed run's first part included."""
        return (self._end or time.perf_counter()) - self._start

    def request_stop(self, signal_number: int) -> None:
        """Have the run end at its next minibatch, with `TrainingStopped`."""
        self.stop_signal = signal_number

    def close(self) -> None:
        """Stop the clock and the progress bar; wait until all files are written."""
        if self.training:
            self.training, self._end = False, time.perf_counter()
        self.files.wait()
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
