"""A checkpoint's file: plain data and arrays, read without running code.

The file is one pickled dict of the format's name, its version, the content as bytes,
and their SHA-256. The content is a pickled dict again, of the parts in `PARTS`.
"""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np

from utils.errors import CheckpointError
from utils.files import array_pickle

FORMAT, VERSION = "checkpoint of logistic regression", 1
PARTS = {
    "trained_by": str,
    "arguments": dict,  # of the training function
    "fingerprint": str,  # of the dataset
    "floatX": str,
    "versions": dict,
    "state": dict,  # the numbers of utils.training.TrainingState
    "history": dict,  # its history, an array for each of HISTORY
    "best_model": dict,  # W, b and metadata
    "params": list,  # arrays
    "evaluations": dict,  # see utils.training.replay; empty for SGD
}
ARGUMENTS = {
    "learning_rate": float,
    "n_epochs": int,
    "dataset": str,
    "batch_size": int,
    "model": str,
    "backend": str,
    # Only where they were given.
    "shuffle": int,
    "n_steps": int,
    "shards": int,
}
HISTORY = ("epoch", "iter", "cost", "validation_loss", "test_score", "seconds")


def dumps(content):
    """The bytes of a checkpoint.

    Parameters
    ----------
    content : dict
        The parts that `PARTS` names.

    Returns
    -------
    bytes
    """
    content = pickle.dumps(content, protocol=4)
    file = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": hashlib.sha256(content).hexdigest(),
        "content": content,
    }
    return pickle.dumps(file, protocol=4)


def read(path):
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict
        The parts that `PARTS` names, of the types there, and each number and array of
        the type that training uses. Whether shapes and names fit a run is checked when
        they are put into one.

    Raises
    ------
    CheckpointError
        Naming the file, what was expected and what was found.
    """
    path = Path(path)
    try:
        file = array_pickle.load_file(path)
        content = array_pickle.load(_content(file))
        _check(content)
    except OSError as error:
        raise CheckpointError(
            f"{path}: the checkpoint cannot be read ({error.strerror}). Name a file "
            "that a run with --checkpoint wrote, or start the run without --resume."
        ) from error
    except array_pickle.ArrayPickleError as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint that this program wrote, found {error}. "
            "Take another checkpoint, or start the run again without --resume."
        ) from error
    return content


def _content(file):
    """The bytes of the content; `ArrayPickleError` where they are not sound."""
    # An array equals nothing: its comparison is an array, which is neither true nor
    # false.
    _expect(type(file) is dict and type(file.get("format")) is str, "another file")
    _expect(file["format"] == FORMAT, "another file")
    version = file.get("version")
    _expect(type(version) is int, "no version")
    _expect(version == VERSION, f"version {version} instead of {VERSION}")
    content, sha256 = file.get("content"), file.get("sha256")
    _expect(type(content) is bytes and type(sha256) is str, "no content")
    right = hashlib.sha256(content).hexdigest() == sha256
    _expect(right, "content whose SHA-256 is not the one in the file")
    return content


def _expect(condition, found):
    if not condition:
        raise array_pickle.ArrayPickleError(found)


def _check(content):
    """Raise `ArrayPickleError` unless all parts are there, of their types."""
    _expect(type(content) is dict and content.keys() == PARTS.keys(), "other parts")
    for part, kind in PARTS.items():
        _expect(type(content[part]) is kind, f"a {part} that is no {kind.__name__}")
    for name, value in content["arguments"].items():
        _expect(
            type(value) is ARGUMENTS.get(name) and _can_be_a_name(value),
            f"an argument {name[:40]!a} out of place",
        )
    for name, value in content["state"].items():
        # What is counted starts at -1, and stays where a float counts too.
        sound = type(value) is float or (type(value) is int and -1 <= value < 2**53)
        _expect(sound, f"a state whose {name[:40]!a} is no number of a run")

    columns = content["history"]
    _expect(tuple(columns) == HISTORY, "a history of other columns")
    for name, column in columns.items():
        sound = _is_array(column, 1, "int64" if name in HISTORY[:2] else "float64")
        sound = sound and len(column) == len(columns["epoch"]) > 0
        _expect(sound, f"a history with a column {name!a} that is out of shape")

    best = content["best_model"]
    _expect(best.keys() == {"W", "b", "metadata"}, "a best model of other parts")
    floatX = content["floatX"]
    sound = floatX in ("float32", "float64") and type(best["metadata"]) is dict
    sound = (
        sound and _is_array(best["W"], 2, floatX) and _is_array(best["b"], 1, floatX)
    )
    sound = sound and best["b"].shape == best["W"].shape[1:]
    _expect(sound, "a best model that is no matrix W and vector b of its floatX")
    sound = all(
        isinstance(value, np.ndarray) and value.dtype == floatX
        for value in content["params"]
    )
    _expect(sound, "parameters that are no arrays of its floatX")


def _can_be_a_name(value):
    """Whether a value, where it is a string, may be that of a file."""
    try:
        return type(value) is not str or b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_array(value, ndim, dtype):
    return isinstance(value, np.ndarray) and (value.ndim, value.dtype) == (ndim, dtype)
