"""The state of a model, its arrays and plain values: taken from a model, and checked.

Of the lesson's LogisticRegression these are ``W``, ``b`` and ``metadata``. Of a model
of any other class, a reader's own, they are the parts that `OWN_PARTS` names.
"""

import inspect
import math
import os
import sys

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import graph_inputs

from utils import backends
from utils.errors import ModelFileError

from .hyperparameters import FIGURES, FLOATS, WHOLE, within_bounds

LESSON = "LogisticRegression"
LESSON_PARTS = {"W": np.ndarray, "b": np.ndarray, "metadata": dict}
OWN_PARTS = {
    "class": str,
    "script": str,  # the file that defines the class; empty for a notebook
    "params": list,  # arrays
    "arguments": dict,  # of the class, by name: those that are plain values
    "input": str,  # the name of its symbolic input
    "graph": str,  # of y_pred, see utils.backends.describe
    "metadata": dict,
}
# The kinds of metadata; `hyperparameters` has the bounds of those that are numbers.
KINDS = {"dataset": str, "trained_by": str, "floatX": str, "versions": dict}
# Whole numbers as arguments of a class are kept up to so many, and so is the product of
# the two largest, or up to the number of its parameters: a layer of more units would
# have more, and a stranger's file is to make none.
LARGEST_SIZE, LARGEST_PRODUCT = 2**16, 2**26


def own_parts(classifier, **known):
    """Describe a model of a reader's own class, but for its arrays and metadata.

    Parameters
    ----------
    classifier : object
        With `params`, a list of shared variables, and symbolic `input` and `y_pred`.
    known : int
        Arguments of its class, where it has no attributes of their names.

    Returns
    -------
    dict
        Of `OWN_PARTS`; empty for the lesson's LogisticRegression.

    Raises
    ------
    ModelFileError
        If it lacks one of the three, or predicts with other shared variables than its
        `params`.
    """
    cls = type(classifier)
    for name in ("params", "input", "y_pred"):
        if not hasattr(classifier, name):
            raise ModelFileError(
                f"{cls.__name__}: expected a model with params (the list of its shared "
                f"variables), input and y_pred, found no {name}: set it in __init__."
            )
    for variable in graph_inputs([classifier.y_pred]):
        if isinstance(variable, SharedVariable) and variable not in classifier.params:
            raise ModelFileError(
                f"{cls.__name__}: expected params to hold all that it predicts with, "
                f"found that y_pred depends on {variable} too: add it to them."
            )
    if cls.__name__ == LESSON and classifier.params == [classifier.W, classifier.b]:
        return {}
    n_params = sum(np.size(p.get_value(borrow=True)) for p in classifier.params)
    arguments = {}
    for name in inspect.signature(cls).parameters:
        value = getattr(classifier, name, known.get(name))
        if can_be_kept([*arguments.values(), value], n_params):
            arguments[name] = value
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return {
        "class": cls.__name__,
        "script": os.path.basename(file or ""),
        "arguments": arguments,
        "input": classifier.input.name or "x",
        "graph": backends.describe([classifier.y_pred], ["y_pred"]),
    }


def can_be_kept(arguments, n_params=math.inf):
    """Return True for what a file can keep: numbers, text, and lists of them."""
    leaves = [*_leaves(arguments)]
    whole = sorted(abs(leaf) for leaf in leaves if isinstance(leaf, int))
    is_small = max(whole, default=0) <= max(LARGEST_SIZE, n_params)
    is_small = is_small and math.prod(whole[-2:]) <= max(LARGEST_PRODUCT, n_params)
    return is_small and all(isinstance(leaf, (int, float, str)) for leaf in leaves)


def _leaves(values):
    for value in values:
        yield from _leaves(value) if isinstance(value, (list, tuple)) else [value]


def state_of(classifier, parts):
    """The state of a model: `parts` as `own_parts` gives them, arrays, metadata."""
    params = [np.array(param.get_value(borrow=True)) for param in classifier.params]
    params = {"params": params} if parts else dict(zip("Wb", params, strict=True))
    return parts | params | {"metadata": classifier.metadata}


def check_state(state):
    """Raise `ValueError`, saying what was found, unless a dict is a model's state."""
    own = "class" in state
    for name, kind in (OWN_PARTS if own else LESSON_PARTS).items():
        if not isinstance(state.get(name), kind):
            raise ValueError(f"no {name} that is a {kind.__name__}")
    params = state["params"] if own else [state["W"], state["b"]]
    if not all(isinstance(value, np.ndarray) for value in params):
        raise ValueError("parameters that are no arrays")
    arguments, n_params = state.get("arguments", {}), sum(map(np.size, params))
    if not can_be_kept(arguments.values(), n_params):
        raise ValueError(
            f"arguments other than text and numbers up to {max(LARGEST_SIZE, n_params)}"
            f", two of them multiplied up to {max(LARGEST_PRODUCT, n_params)}"
        )
    metadata = state["metadata"]
    _check_metadata(metadata)
    if own:
        floatX = metadata.get("floatX")
        for name in ("versions", "n_in", "n_out"):
            if name not in metadata:
                raise ValueError(f"metadata without {name}")
    else:
        W, b = params
        floatX = str(W.dtype)
        if W.ndim != 2 or b.shape != W.shape[1:] or 0 in W.shape:
            raise ValueError(f"W of shape {W.shape} and b of shape {b.shape}")
        if W.dtype != b.dtype:
            raise ValueError(f"W of dtype {W.dtype} and b of dtype {b.dtype}")
        sizes = {"n_in": W.shape[0], "n_out": W.shape[1], "floatX": floatX}
        if metadata | sizes != sizes | metadata:
            raise ValueError(f"metadata of other sizes than W of shape {W.shape}")
    if floatX not in ("float32", "float64"):
        raise ValueError(f"a model of {floatX!r:.40}, not float32 or float64")
    if not all(np.isfinite(value).all() for value in params):
        raise ValueError("parameters that are NaN or infinite")


def _check_metadata(metadata):
    """Raise `ValueError` unless metadata are as pictures, page and `predict` read them.

    All may be missing; a checkpoint's best model has them.
    """
    if not is_plain(metadata):
        raise ValueError("no metadata of strings and numbers")
    numbers = WHOLE | FLOATS | FIGURES
    for name, value in metadata.items():
        sound = isinstance(value, KINDS.get(name, object))
        if name in numbers:
            sound = within_bounds(name, value)
        elif name == "feature_range":
            sound = _is_range(value)
        if not sound:
            raise ValueError(f"metadata whose {name[:40]!a} no run has")


def _is_range(value):
    pair = isinstance(value, (list, tuple)) and [*map(type, value)] == [float, float]
    return pair and -math.inf < value[0] <= value[1] < math.inf


def is_plain(value, depth=64):
    """Return True if `value` holds only numbers and text, and is not deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return value is None or isinstance(value, (bool, int, float, str, bytes))
    return depth > 0 and all(is_plain(inner, depth - 1) for inner in value)
