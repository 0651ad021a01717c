"""best_model.pkl: arrays and plain metadata, written whole, read without running code.

A ``logistic_sgd.LogisticRegression`` is one pickled object of that class whose state is
a dict: ``W`` and ``b`` as NumPy arrays, and ``metadata``, a dict of strings and
numbers. A model of any other class is a pickled dict of `model_state.OWN_PARTS`. Either
class, which the caller of `load` names, writes down its symbolic graph again.
"""

import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytensor

from utils.errors import ModelFileError
from utils.files import array_pickle, open_regular

from .model_state import LESSON, check_state
from .rebuilt_model import rebuild

# The name of the class in the file, whichever script defined it: in a console the class
# is __main__.LogisticRegression, which no other process could load.
CLASS = ("logistic_sgd", LESSON)


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


def describe(n_in, n_out, metadata):
    """The metadata of a model file, a dict.

    That is `metadata`, plain values that describe the run (dataset, hyperparameters,
    errors), with the number of features and classes, floatX and the versions added.
    """
    return {
        "n_in": n_in,
        "n_out": n_out,
        "floatX": pytensor.config.floatX,
        **metadata,
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            "numpy": np.__version__,
            "pytensor": pytensor.__version__,
        },
    }


def dumps(state):
    """The bytes of a model's file, from its state; see `model_state`."""
    if "class" in state:
        return pickle.dumps(state, protocol=4)
    model, file = _SavedModel(), io.BytesIO()
    vars(model).update(state)
    _Pickler(file, protocol=4).dump(model)
    return file.getvalue()


def _load(source, size=None):
    return array_pickle.load(source, {CLASS: _SavedModel}, size)


def check_dumps(state):
    """Raise `ValueError` unless what `dumps` makes of a state can be read."""
    _load(dumps(state))


def read(path):
    """Read the state of the model in a file; nothing in it is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict
        `W` ``(n_in, n_out)`` and `b` ``(n_out,)`` of one float dtype, finite, and
        `metadata`, a dict; or the parts that `model_state.OWN_PARTS` names.

    Raises
    ------
    ModelFileError
        Naming the file, what was expected and what was found.
    """
    path = Path(path)
    try:
        file, size = open_regular(path)
        with file:
            saved = _load(file, size)
    except OSError as error:
        raise ModelFileError(
            f"{path}: the model cannot be read ({error.strerror}). Train one first "
            "with `python logistic_sgd.py`, or name another file."
        ) from error
    except array_pickle.ArrayPickleError as error:
        raise ModelFileError(
            f"{path}: expected a model that this program saved, found {error}"
        ) from error
    try:
        state = saved if isinstance(saved, dict) else vars(saved)
        check_state(state)
        if "W" in state:
            n_in, n_out = state["W"].shape
            sizes = {"n_in": n_in, "n_out": n_out, "floatX": str(state["W"].dtype)}
            state["metadata"] |= sizes
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: expected a saved LogisticRegression (a float matrix W and a "
            f"vector b of the same dtype), found {error}. Train the model again."
        ) from error
    return state


def check_answers(probabilities, path):
    """Refuse the answers of a model whose scores overflow.

    Parameters
    ----------
    probabilities : numpy.ndarray
        Of its `p_y_given_x` for some images, all or the largest.
    path : str or os.PathLike
        The model's file, for messages.

    Raises
    ------
    ModelFileError
        If some are NaN.
    """
    if np.isnan(probabilities).any():
        raise ModelFileError(
            f"{path}: expected probabilities of each class, found nan: this model's "
            f"parameters are so large that its scores are no {probabilities.dtype}. "
            "Train it again, with a lower learning rate or images scaled to lie "
            "between 0 and 1."
        )


def load(path, cls, **arguments):
    """Read a model file as an instance of a class.

    Parameters
    ----------
    path : str or os.PathLike
    cls : type
        `logistic_sgd.LogisticRegression`, or the class of the model that was saved.
    arguments
        See `rebuilt_model.rebuild`.

    Returns
    -------
    cls
        With `metadata` and `p_y_given_x`.

    Raises
    ------
    ModelFileError
        See `read`; or if it is the model of another class, or of other arguments.
    """
    return rebuild(read(path), cls, arguments, path)
