"""Arguments that a training function takes from a checkpoint when it resumes."""

import functools
import inspect
import os
from pathlib import PurePath

from utils.errors import CheckpointError, HyperparameterError

from . import checkpoint_file


def resumable(train):
    """Have a training function take from its checkpoint what it is not given.

    Where the keyword argument `resume` is given, arguments that are not have the values
    that they had in that run, and `checkpoint` is `resume`. Of `n_epochs` and `n_steps`
    only one may be given: it replaces the other, also the checkpoint's.

    Parameters
    ----------
    train : callable
        An argument `mnist_pkl_gz` of it is what a checkpoint calls `dataset`.

    Returns
    -------
    callable
        Raises `HyperparameterError` and `CheckpointError` besides, and `TypeError` for
        a setting that the other training function has.
    """
    signature = inspect.signature(train)
    settings, dataset = {"shuffle", "n_steps"}, "dataset"
    if "mnist_pkl_gz" in signature.parameters:
        settings, dataset = {"cluster", "shards"}, "mnist_pkl_gz"
    settings |= {"model", "backend", "monitor", "checkpoint", "resume"}

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
        if path is None:
            return train(**given)
        kept = dict(checkpoint_file.read(path)["arguments"])
        kept[dataset] = kept.pop("dataset", None)
        if "model" not in given:
            _check_place(path, kept.get("model", ""))
        names = settings | {*signature.parameters}
        if ends:
            names -= {"n_epochs", "n_steps"}
        kept = {name: value for name, value in kept.items() if name in names}
        return train(**{"checkpoint": path} | kept | given)

    return resumed


def _check_place(checkpoint, model):
    """Refuse a model's place that a stranger may have chosen for harm."""
    place = PurePath(model)
    if (place.is_absolute() or ".." in place.parts) and not os.path.isfile(model):
        raise CheckpointError(
            f"{checkpoint}: its best model belongs in {model}, outside the current "
            "folder, and no file is there: name the model's file (--model) to write it."
        )
