"""Training functions that resume from a checkpoint, and that can be interrupted."""

import dataclasses
import functools
import inspect
import signal
from collections.abc import Callable

from utils.errors import HyperparameterError

from . import checkpoint_file, places
from .monitor import Monitor, TrainingStopped, at_prompt
from .settings import CONJUGATE_GRADIENT_ONLY, SGD_ONLY, Settings
from .stop_signals import stopping


def resumable(train: Callable) -> Callable:
    """Have a training function take from its checkpoint what it is not given.

    Where the keyword argument `resume` is given, arguments that are not have the values
    that they had in that run, and `checkpoint` is `resume`. Of `n_epochs` and `n_steps`
    only one may be given: it replaces the other, also the checkpoint's.

    At a prompt (a notebook, IPython, Python's own) an interrupt during training gives
    the result so far, after a line that says how to resume. Before the first validation
    there is none, and `TrainingStopped` is raised, which is a `KeyboardInterrupt`. In a
    program nothing changes.

    Parameters
    ----------
    train : callable
        An argument `mnist_pkl_gz` of it is what a checkpoint calls `dataset`.

    Returns
    -------
    callable
        Raises `HyperparameterError`, and what `places.check_training` does, besides,
        and `TypeError` for a setting that the other training function has.
    """
    signature = inspect.signature(train)
    others, dataset = CONJUGATE_GRADIENT_ONLY, "dataset"
    if "mnist_pkl_gz" in signature.parameters:
        others, dataset = SGD_ONLY, "mnist_pkl_gz"
    settings = {field.name for field in dataclasses.fields(Settings)} - others

    @functools.wraps(train)
    def resumed(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        for name in given.get("settings", {}):
            if name not in settings:
                raise TypeError(
                    f"{train.__name__}() got an unexpected argument {name!r}: expected "
                    f"{', '.join(sorted(settings))} besides the tutorial's."
                )
        given |= given.pop("settings", {})
        ends = [n for n in ("n_epochs", "n_steps") if given.get(n) is not None]
        if len(ends) > 1:
            raise HyperparameterError(
                "n_epochs and n_steps are both given: expected one of them, which then "
                "alone says when the run ends. Leave the other out."
            )
        path = given.get("resume")
        asked = {"dataset" if n == dataset else n: v for n, v in given.items()}
        if path is None:
            default = signature.parameters[dataset].default
            places.check_training({"dataset": default} | asked)
            return _call(train, given)
        kept = dict(checkpoint_file.read(path)["arguments"])
        places.check_training(asked, kept)
        kept[dataset] = kept.pop("dataset", None)
        names = settings | {*signature.parameters}
        if ends:
            names -= {"n_epochs", "n_steps"}
        kept = {name: value for name, value in kept.items() if name in names}
        return _call(train, {"checkpoint": path} | kept | given)

    return resumed


def _call(train, arguments):
    """Call a training function; at a prompt an interrupt gives its result so far."""
    with arguments.get("monitor") or Monitor() as monitor:
        arguments = arguments | {"monitor": monitor}
        handler = signal.getsignal(signal.SIGINT)
        if not at_prompt() or handler is not signal.default_int_handler:
            return train(**arguments)
        try:
            with stopping(monitor, signal.SIGINT):
                return train(**arguments)
        except TrainingStopped as stopped:
            if stopped.result is None:
                raise stopped.with_traceback(None) from None
            monitor.note(f"{stopped}")
            return stopped.result
