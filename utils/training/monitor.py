"""What a training run tells the world while it runs, and what may end it early."""

import math
import signal
import sys
import time

import numpy as np

from utils.errors import DivergenceError
from utils.files.writer import Writer


class TrainingStopped(KeyboardInterrupt):
    """A run that was asked to stop, and did.

    Attributes
    ----------
    signal_number : int
        ``signal.SIGINT``, ``signal.SIGTERM`` or another.
    """

    def __init__(self, signal_number, message):
        name = signal.Signals(signal_number).name
        super().__init__(f"stopped by {name} {message}")
        self.signal_number = signal_number


class Monitor:
    """Prints the tutorial's lines, shows progress, keeps the history and the files.

    The training loop calls it after each minibatch and at each validation, so that
    whatever else wants to know of a run hangs on this one object, which may end it.

    Parameters
    ----------
    quiet : bool
        True (default) silences progress and notices on standard error; the tutorial's
        own lines are always printed on standard output.

    Attributes
    ----------
    training : bool
        Whether the training loop runs.
    history : list of tuple or None
        ``TrainingState.history`` of the run that was begun; None before.
    """

    def __init__(self, quiet=True):
        self.quiet = quiet
        self.training = False
        self.history = None
        self._bar = None
        self._costs, self._count = [], 1
        self._checkpoint = None
        self._stop_signal = None
        self._writer = Writer(self.log)

    def say(self, line):
        """Print one of the tutorial's lines on standard output, at once."""
        self._print(line, sys.stdout)

    def log(self, line):
        """Print a remark on standard error, unless quiet."""
        if not self.quiet:
            self._print(line, sys.stderr)

    def start(self, total, unit, state=None, checkpoint=None, where=None):
        """Begin the training loop, and where there is a terminal a progress bar.

        Parameters
        ----------
        total : int or None
            Steps in all, those of a resumed run's first part among them.
        unit : str
            What a step is.
        state : utils.training.TrainingState, optional
            Where the run begins; not given means at zero.
        checkpoint : utils.training.checkpoint.Checkpoint, optional
            Written at each validation.
        where : callable, optional
            Tells where the run stands, as in ``epoch 3, minibatch 2/83``.
        """
        self.training, self._stop_signal, self._costs = True, None, []
        self.history = state.history if state else []
        self._checkpoint, self._where = checkpoint, where or (lambda: "training")
        self._clock = time.perf_counter() - (state.seconds if state else 0.0)
        if not self.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                initial=state.iter + 1 if state else 0,
                unit=unit,
                leave=False,
                dynamic_ncols=True,
            )

    def minibatch(self, state, cost, count=1):
        """Called after each minibatch, or several of them, with the sum of their costs.

        Raises
        ------
        TrainingStopped
            If `request_stop` was called since the last minibatch.
        """
        if self._stop_signal is not None:
            self.close()
            raise TrainingStopped(self._stop_signal, self._summary(state))
        # A number on a device may not be computed yet: here it is only kept.
        self._costs.append(cost)
        self._count = count
        if self._bar is not None:
            self._bar.update(count)

    def check_costs(self, state, remedy):
        """Called before a validation: have the costs stayed finite since the last?

        Every cost is looked at, but on an accelerator the last one alone, because each
        would have to be fetched from there.

        Parameters
        ----------
        state : utils.training.TrainingState
        remedy : str
            What to try where they have not.

        Raises
        ------
        DivergenceError
        """
        last = self._costs[-1:]
        on_host = all(isinstance(c, (float, np.ndarray, np.generic)) for c in last)
        costs = [float(cost) for cost in (self._costs if on_host else last)]
        bad = [cost for cost in costs if not math.isfinite(cost)]
        if bad:
            self.close()
            raise DivergenceError(
                f"the cost of a minibatch became {bad[0]} ({self._where()}): "
                f"try {remedy}. {_best(state)}"
            )
        self._costs = costs[-1:]

    def validation(self, state, validation_loss, note=""):
        """Called after each validation, with its error (a fraction of 1).

        It goes into ``state.history``, and the state into the checkpoint. `note` is
        shown with it by the progress bar.
        """
        state.history.append(
            (
                state.epoch,
                state.iter,
                float(self._costs[-1]) / self._count if self._costs else math.nan,
                float(validation_loss),
                float(state.test_score),
                self.seconds,
            )
        )
        self._costs = []
        if self._checkpoint is not None and self._checkpoint.path is not None:
            self.write(self._checkpoint.path, self._checkpoint.content(state))
        if self._bar is not None:
            error = f"validation error {validation_loss:.2%}"
            self._bar.set_postfix_str(", ".join(filter(None, (note, error))))

    @property
    def seconds(self):
        """Seconds of training, those of a resumed run's first part among them."""
        return time.perf_counter() - self._clock

    def write(self, path, data):
        """Have bytes written to a file; where that fails, train on.

        What failed is told at once on standard error, and in the end by
        `check_files`, unless a later attempt to write `path` succeeds.
        """
        self._writer.write(path, data)

    def check_files(self):
        """Raise the `WriteError` of the first file whose last attempt failed."""
        self._writer.wait()
        for error in self._writer.failed.values():
            raise error

    def request_stop(self, signal_number):
        """Have the run end at its next minibatch."""
        self._stop_signal = signal_number

    def close(self):
        """End the loop's part, with all files written; safe to call more than once."""
        self.training = False
        self._writer.wait()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _summary(self, state):
        """Where a run was stopped, its best so far, and how it goes on."""
        text = f"in {self._where()}. {_best(state)}"
        if self._checkpoint is None or self._checkpoint.path is None:
            return f"{text} A run with --checkpoint PATH can be resumed."
        if not state.history or self._checkpoint.path in self._writer.failed:
            return f"{text} There is no checkpoint yet."
        return f"{text} Go on with --resume {self._checkpoint.path}"

    def _print(self, line, stream):
        if self._bar is None:
            print(line, file=stream, flush=True)
        else:
            self._bar.write(line, file=stream)
            stream.flush()


def _best(state):
    if not state.best_epoch:
        return "No model was good enough to be saved yet."
    return (
        f"The {state.keeps} model so far is that of epoch {state.best_epoch}: "
        f"validation error {state.best_validation_loss * 100:f} %, test error "
        f"{state.test_score * 100:f} %."
    )
