"""best_model.pkl: arrays and plain metadata, written whole, read without running code.

The file is one pickled ``logistic_sgd.LogisticRegression`` whose state is a dict: ``W``
and ``b`` as NumPy arrays, and ``metadata``, a dict of strings and numbers. The class
rebuilds its symbolic graph from them.
"""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytensor

from utils import array_pickle
from utils.files import write_whole


class ModelFileError(ValueError):
    """A model file that is missing, damaged, or not a model of this program."""


class _SavedState:
    """Stands in for the model's class while a file is read; takes its attributes."""


def save(classifier, path, metadata):
    """Write a classifier's parameters to a file, whole or not at all.

    Parameters
    ----------
    classifier : logistic_sgd.LogisticRegression
        Its `W` and `b` are shared variables.
    path : str or os.PathLike
        The file to write; an existing one is replaced in one step.
    metadata : dict
        Plain values that describe the run (dataset, hyperparameters, errors); the
        floatX, the shape and the versions are added here. All of it becomes the
        classifier's `metadata`.

    Raises
    ------
    utils.files.WriteError
        Where the file cannot be written; an existing file is then left as it was.
    """
    write_whole(path, dumps(classifier, metadata))


def dumps(classifier, metadata):
    """The bytes of a model file; see `save`."""
    from logistic_sgd import LogisticRegression

    W = classifier.W.get_value(borrow=True)
    classifier.metadata = {
        "n_in": W.shape[0],
        "n_out": W.shape[1],
        "floatX": str(W.dtype),
        **metadata,
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            "numpy": np.__version__,
            "pytensor": pytensor.__version__,
        },
    }
    if type(classifier) is not LogisticRegression:
        # A script pasted into a console, or run by %run, defines the class a second
        # time as __main__.LogisticRegression, which no other process could load.
        state = classifier.__getstate__()
        classifier = LogisticRegression.__new__(LogisticRegression)
        classifier.__setstate__(state)
    return pickle.dumps(classifier, protocol=4)


def dumps_kept(kept, path):
    """The bytes of the file of a model that a checkpoint kept.

    Parameters
    ----------
    kept : dict
        `W`, `b` and `metadata`, as ``LogisticRegression.__getstate__`` gives them.
    path : str or os.PathLike
        Where they are to be written.

    Returns
    -------
    bytes

    Raises
    ------
    ModelFileError
        Where `path` is a file that is no model: the name may have come from a
        checkpoint that somebody else wrote.
    """
    from logistic_sgd import LogisticRegression

    # Unlike Path.is_file, False for a name that is too long; the writer refuses it.
    if os.path.isfile(path):
        try:
            load(path)
        except ModelFileError as error:
            raise ModelFileError(
                f"{error} The checkpoint's best model does not replace such a file: "
                "move it away, or name another for the model."
            ) from error
    model = LogisticRegression.__new__(LogisticRegression)
    model.__setstate__(kept)
    return pickle.dumps(model, protocol=4)


def load(path):
    """Read a model file; nothing in it is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    logistic_sgd.LogisticRegression
        With `W` ``(n_in, n_out)`` and `b` ``(n_out,)`` in the dtype of the file, and
        `metadata`, a dict.

    Raises
    ------
    ModelFileError
        Naming the file, what was expected and what was found.
    """
    from logistic_sgd import LogisticRegression

    path = Path(path)
    try:
        known = {("logistic_sgd", "LogisticRegression"): _SavedState}
        saved = array_pickle.load_file(path, known)
    except OSError as error:
        raise ModelFileError(
            f"{path}: the model cannot be read ({error.strerror}). Train one first "
            "with `python logistic_sgd.py`, or name another file."
        ) from error
    except array_pickle.ArrayPickleError as error:
        raise ModelFileError(
            f"{path}: expected a model that this program saved, found {error}"
        ) from error
    model = LogisticRegression.__new__(LogisticRegression)
    model.__setstate__(_checked_state(path, saved))
    return model


def _checked_state(path, saved):
    """The state of the model in a file; `ModelFileError` where it holds none."""

    def refuse(found):
        raise ModelFileError(
            f"{path}: expected a saved LogisticRegression (a float matrix W and a "
            f"vector b of the same dtype), found {found}. Train the model again."
        )

    if not isinstance(saved, _SavedState):
        refuse(f"a {type(saved).__name__}")
    state = vars(saved)
    W, b, metadata = (state.get(name) for name in ("W", "b", "metadata"))
    if not isinstance(W, np.ndarray) or not isinstance(b, np.ndarray):
        refuse("no arrays W and b")
    if not isinstance(metadata, dict) or not _is_plain(metadata):
        refuse("no metadata of strings and numbers")
    if W.ndim != 2 or b.shape != W.shape[1:] or 0 in W.shape:
        refuse(f"W of shape {W.shape} and b of shape {b.shape}")
    if W.dtype != b.dtype or str(W.dtype) not in ("float32", "float64"):
        refuse(f"W of dtype {W.dtype} and b of dtype {b.dtype}")
    if not (np.isfinite(W).all() and np.isfinite(b).all()):
        refuse("parameters that are NaN or infinite")
    return state


def _is_plain(value):
    """Whether comparing and printing what is inside `value` can do no harm."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return not isinstance(value, (np.ndarray, _SavedState))
