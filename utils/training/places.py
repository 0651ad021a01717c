"""All that a run reads and all that it writes: nothing that is written is another."""

import os
from pathlib import PurePath

from utils import datasets, files
from utils.errors import CheckpointError, ModelFileError, WriteError

from . import model_file
from .settings import Settings


def check_training(given, kept=None, others=(), folder=None):
    """Refuse a training that could not write its files, or would lose one by them.

    Parameters
    ----------
    given : dict
        Those of `dataset`, `model`, `checkpoint` and `resume` that were given.
    kept : dict, optional
        The arguments in the checkpoint that is resumed.
    others : iterable of (str, path)
        What is written besides model and checkpoint: its name in messages, and a file.
    folder : str or path, optional
        That of some of them, which is made.

    Raises
    ------
    CheckpointError, ModelFileError
        If the checkpoint, perhaps a stranger's, would have a model written, where none
        is, outside of the current folder or under a name such as ``.profile``, which
        another program may run; or where a file is that is no model.
    WriteError
        If a file is both read and written, or written for two purposes; or if it cannot
        be written. A checkpoint that is resumed may be kept up to date.
    """
    resume, kept = given.get("resume"), kept or {}
    fallback = {"dataset": datasets.MNIST, "model": Settings.model}
    paths = fallback | {"checkpoint": resume} | kept | given
    names = {name: f"the {name} (--{name})" for name in paths}
    names |= {n: f"the {n} that --resume names" for n in kept.keys() - given.keys()}
    names["resume"] = "the checkpoint (--resume)"

    reads = [(names["dataset"], path) for path in datasets.places(paths["dataset"])]
    writes, checkpoint = [(names["model"], paths["model"])], paths["checkpoint"]
    if resume is not None:
        reads.append((names["resume"], resume))
        if checkpoint is not None and _identity(checkpoint) == _identity(resume):
            names["checkpoint"] = names["resume"]  # it is kept up to date
    if checkpoint is not None:
        writes.append((names["checkpoint"], checkpoint))
    writes += others
    _compare(reads, writes, folder)
    if resume is not None:
        _check_kept_model(resume, paths["model"], chosen="model" in given)
    _try(writes, folder)


def check_prediction(pictures, model, folder):
    """Refuse to show pictures in a folder, which is made, where that would lose a file.

    The parameters are those of `logistic_sgd.predict_digits`. A `WriteError` names the
    file, which is one that is read, or no preview, or cannot be written.
    """
    from utils import digit_image  # few runs need it

    reads = [("a picture (--predict)", path) for path in pictures]
    previews = digit_image.preview_paths(pictures, folder)
    writes = [("what the model saw (--plot)", path) for path in previews]
    _compare([*reads, ("the model (--model)", model)], writes, folder)
    for path in previews:
        if os.path.isfile(path) and not digit_image.is_preview(path):
            raise WriteError(
                f"{path}: expected a place for what the model saw (--plot), found "
                "another file: move it away, or name another folder."
            )
    _try(writes, folder)


def _compare(reads, writes, folder):
    """Refuse a file of `writes` that is another's; each is a pair (name, path)."""
    owners = {}
    if folder is not None:
        owners[_identity(folder)] = "the folder (--plot)"
    for name, path in reads:
        owners.setdefault(_identity(path), name)
    for name, path in writes:
        owner = owners.setdefault(_identity(path), name)
        if owner != name:
            raise WriteError(
                f"{path}: expected a file of its own for {name}, found that of "
                f"{owner}: name another."
            )


def _try(writes, folder):
    if folder is not None:
        files.make_folder(folder)
    for _, path in writes:
        files.check_writable(path)


def _identity(path):
    """What all names of a file share, those by links too, whether it exists or not."""
    try:
        path = os.path.normcase(os.path.realpath(path))
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: no file can have that name
        return os.fsdecode(path)
    return status.st_dev, status.st_ino


def _check_kept_model(checkpoint, model, chosen):
    """Refuse a model's place that a stranger may have chosen for harm."""
    place = PurePath(os.fsdecode(model))
    if os.path.isfile(model):  # False also for a name that is too long
        try:
            model_file.read(model)
        except ModelFileError as error:
            raise ModelFileError(
                f"{error} The checkpoint's best model does not replace such a file: "
                "move it away, or name another for the model."
            ) from error
    elif not chosen and (
        place.is_absolute() or ".." in place.parts or place.suffix != ".pkl"
    ):
        raise CheckpointError(
            f"{checkpoint}: its best model belongs in {model}, which is outside the "
            "current folder or is no .pkl, and no file is there: name the model's file "
            "(--model) to write it."
        )
