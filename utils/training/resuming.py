"""What a training function is not told when it resumes, its checkpoint tells it."""

import functools
import inspect
import os
from pathlib import PurePath

from utils.errors import CheckpointError, HyperparameterError
from utils.training import checkpoint_file


def resumable(dataset, alternatives=()):
    """Have a training function take from its checkpoint what it is not given.

    Parameters
    ----------
    dataset : str
        What the function calls the argument that names the dataset.
    alternatives : sequence of str
        Arguments of which only one may be given: it takes the place of the others, also
        of what the checkpoint has for them. `HyperparameterError` where more are.

    Returns
    -------
    decorator
        Of a function with the keyword arguments `resume` and `checkpoint`. Where
        `resume` is given, arguments that are not have the values they had in that run,
        and `checkpoint` is `resume`.
    """

    def decorate(train):
        signature = inspect.signature(train)

        @functools.wraps(train)
        def resumed(*args, **kwargs):
            given = signature.bind(*args, **kwargs).arguments
            chosen = [name for name in alternatives if given.get(name) is not None]
            if len(chosen) > 1:
                raise HyperparameterError(
                    f"{' and '.join(chosen)} are both given: expected one of them, "
                    "which then says alone when the run ends. Leave the other out."
                )
            path = given.get("resume")
            if path is None:
                return train(**given)
            kept = dict(checkpoint_file.read(path)["arguments"])
            kept[dataset] = kept.pop("dataset", None)
            if "model" not in given:
                _check_place(path, kept.get("model", ""))
            names = signature.parameters.keys() - (alternatives if chosen else ())
            kept = {name: value for name, value in kept.items() if name in names}
            return train(**{"checkpoint": path} | kept | given)

        return resumed

    return decorate


def _check_place(checkpoint, model):
    """Refuse a model's place that a stranger may have chosen for harm."""
    place = PurePath(model)
    if (place.is_absolute() or ".." in place.parts) and not os.path.isfile(model):
        raise CheckpointError(
            f"{checkpoint}: its best model belongs in {model}, outside the current "
            "folder, and no file is there: name the model's file (--model) to write it."
        )
