"""best_model.pkl: arrays and plain metadata, written whole, read without running code.

The file is one pickled ``logistic_sgd.LogisticRegression`` whose state is a dict: ``W``
and ``b`` as NumPy arrays, and ``metadata``, a dict of strings and numbers. The class,
which the caller of `load` names, rebuilds its symbolic graph from them.
"""

import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytensor

from utils.errors import ModelFileError
from utils.files import array_pickle, open_regular, write_atomic

# The name of the class in the file, whichever script defined it: in a console the class
# is __main__.LogisticRegression, which no other process could load.
CLASS = ("logistic_sgd", "LogisticRegression")


class _SavedModel:
    """A stand-in for the model's class while a file is written or read."""


class _Pickler(pickle._Pickler):
    """Writes `_SavedModel` under the name of the model's class."""

    def save_global(self, obj, name=None):
        if obj is not _SavedModel:
            return super().save_global(obj, name)
        for text in CLASS:
            self.save(text)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)


def describe(W, metadata):
    """The metadata of a model file, a dict.

    That is `metadata`, plain values that describe the run (dataset, hyperparameters,
    errors), with the shape and floatX of the matrix `W` and the versions added.
    """
    return {
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


def dumps(state):
    """The bytes of a model's file, from its ``LogisticRegression.__getstate__``."""
    model, file = _SavedModel(), io.BytesIO()
    vars(model).update(state)
    _Pickler(file, protocol=4).dump(model)
    return file.getvalue()


def save(classifier, path, metadata):
    """Write a classifier's parameters to a file, whole or not at all.

    Parameters
    ----------
    classifier : logistic_sgd.LogisticRegression
    path : str or os.PathLike
        An existing file is replaced in one step.
    metadata : dict
        See `describe`; it becomes the classifier's `metadata`.

    Raises
    ------
    utils.files.WriteError
        If the file cannot be written; an existing file is then left as it was.
    """
    classifier.metadata = describe(classifier.W.get_value(borrow=True), metadata)
    write_atomic(path, dumps(classifier.__getstate__()))


def check_replaceable(path):
    """Refuse, by `ModelFileError`, to replace a file that is not a model.

    A stranger may have chosen the path: that of a checkpoint's model.
    """
    # Unlike Path.is_file, False for a name that is too long; the writer refuses it.
    if not os.path.isfile(path):
        return
    try:
        read(path)
    except ModelFileError as error:
        raise ModelFileError(
            f"{error} The checkpoint's best model does not replace such a file: "
            "move it away, or name another for the model."
        ) from error


def read(path):
    """Read the state of the model in a file; nothing in it is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict
        `W` ``(n_in, n_out)`` and `b` ``(n_out,)`` of one float dtype, finite, and
        `metadata`, a dict.

    Raises
    ------
    ModelFileError
        Naming the file, what was expected and what was found.
    """
    path = Path(path)
    try:
        file, size = open_regular(path)
        with file:
            saved = array_pickle.load(file, {CLASS: _SavedModel}, size)
    except OSError as error:
        raise ModelFileError(
            f"{path}: the model cannot be read ({error.strerror}). Train one first "
            "with `python logistic_sgd.py`, or name another file."
        ) from error
    except array_pickle.ArrayPickleError as error:
        raise ModelFileError(
            f"{path}: expected a model that this program saved, found {error}"
        ) from error
    return _checked_state(path, saved)


def load(path, cls):
    """Read a model file as an instance of a class.

    Parameters
    ----------
    path : str or os.PathLike
    cls : type
        `logistic_sgd.LogisticRegression`: its ``__setstate__`` takes what `read` gives.

    Returns
    -------
    cls

    Raises
    ------
    ModelFileError
        See `read`.
    """
    model = cls.__new__(cls)
    model.__setstate__(read(path))
    return model


def _checked_state(path, saved):
    """Return the state of the model in a file; `ModelFileError` if it holds none."""

    def refuse(found):
        raise ModelFileError(
            f"{path}: expected a saved LogisticRegression (a float matrix W and a "
            f"vector b of the same dtype), found {found}. Train the model again."
        )

    if not isinstance(saved, _SavedModel):
        refuse(f"a {type(saved).__name__}")
    state = vars(saved)
    W, b, metadata = (state.get(name) for name in ("W", "b", "metadata"))
    if not isinstance(W, np.ndarray) or not isinstance(b, np.ndarray):
        refuse("no arrays W and b")
    if not isinstance(metadata, dict) or not is_plain(metadata):
        refuse("no metadata of strings and numbers")
    if W.ndim != 2 or b.shape != W.shape[1:] or 0 in W.shape:
        refuse(f"W of shape {W.shape} and b of shape {b.shape}")
    if W.dtype != b.dtype or str(W.dtype) not in ("float32", "float64"):
        refuse(f"W of dtype {W.dtype} and b of dtype {b.dtype}")
    if not (np.isfinite(W).all() and np.isfinite(b).all()):
        refuse("parameters that are NaN or infinite")
    return state


def is_plain(value, depth=64):
    """Return True if `value` holds no arrays and is not deep: it can be compared."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return not isinstance(value, (np.ndarray, _SavedModel))
    return depth > 0 and all(is_plain(inner, depth - 1) for inner in value)
