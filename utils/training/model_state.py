"""The state of a model, its arrays and plain values, and the model that it describes.

Of the lesson's LogisticRegression these are ``W``, ``b`` and ``metadata``. Of a model
of any other class, a reader's own, they are the parts that `OWN_PARTS` names.
"""

import inspect
import math
import os
import sys

import numpy as np
import pytensor
import pytensor.tensor as T
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import graph_inputs

from utils import backends
from utils.errors import ModelFileError

from .hyperparameters import FIGURES, FLOATS, WHOLE, within_bounds
from .kept_variables import kind_of

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
        if _can_be_kept([*arguments.values(), value], n_params):
            arguments[name] = value
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return {
        "class": cls.__name__,
        "script": os.path.basename(file or ""),
        "arguments": arguments,
        "input": classifier.input.name or "x",
        "graph": backends.describe([classifier.y_pred], ["y_pred"]),
    }


def _can_be_kept(arguments, n_params=math.inf):
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
    if not _can_be_kept(arguments.values(), n_params):
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


def rebuild(state, cls, arguments, where):
    """Make an instance of a class that has a model's state.

    Parameters
    ----------
    state : dict
        As `state_of` gives it.
    cls : type
        The model's class. A reader's own is constructed as it was, with a matrix as its
        `input`, and any generator as its `rng` or `numpy_rng`.
    arguments : dict
        Its arguments that `state` does not hold, or that are to be others. Those are
        held that are numbers or text, and that the model had as attributes of their
        names; `n_in` and `n_out` always.
    where : str or os.PathLike
        The file, for messages.

    Returns
    -------
    cls
        With `metadata`, and `p_y_given_x`: its own, or what `y_pred` is the argmax of.

    Raises
    ------
    ModelFileError
        If the model is of another class, or predicts otherwise than it did.
    """
    found, script = state.get("class", LESSON), state.get("script", "logistic_sgd.py")
    if found != cls.__name__:
        raise ModelFileError(
            f"{where}: expected a model of the class {cls.__name__}, found one of "
            f"{found[:80]!a} that {script[:80]!a} saved: predict with that script, or "
            "have its load_model() name that class."
        )
    if "class" not in state:
        model = cls.__new__(cls)
        model.__setstate__(state)
        return model
    model = _construct(state, cls, arguments, where)
    difference = _difference(model, state)
    if difference:
        raise ModelFileError(
            f"{where}: expected the {found!a} that {script[:80]!a} saved, found "
            f"{difference}: give load() the arguments that it had."
        )
    for param, value in zip(model.params, state["params"], strict=True):
        param.set_value(value, borrow=True)
    if not hasattr(model, "p_y_given_x"):
        model.p_y_given_x = model.y_pred.owner.inputs[0]
    model.metadata = state["metadata"]
    _check_sizes(model, where)
    return model


def _check_sizes(model, where):
    """Refuse a reader's model that is not one of the sizes that its metadata tell."""
    n_in, n_out = (model.metadata[name] for name in ("n_in", "n_out"))
    mode, answers = Mode("py", None), model.p_y_given_x
    predict = pytensor.function(
        [model.input], answers, mode=mode, on_unused_input="ignore"
    )
    try:
        found = predict(np.zeros((1, n_in), model.input.dtype)).shape
    except Exception as error:  # of any operation of a reader's class
        found = f"a {type(error).__name__}"
    if found != (1, n_out):
        raise ModelFileError(
            f"{where}: expected a model that gives an example of {n_in} values "
            f"probabilities of shape {(1, n_out)}, found {found}: train it again."
        )


def _construct(state, cls, arguments, where):
    """Call a reader's class as it was called for the model of this state."""
    floatX = state["metadata"]["floatX"]
    given = dict.fromkeys(("rng", "numpy_rng"), np.random.RandomState(0))
    given |= state["arguments"] | arguments
    given["input"] = T.matrix(state["input"], dtype=floatX)
    parameters = inspect.signature(cls).parameters
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise ModelFileError(
                f"{where}: expected the argument {name} of {cls.__name__}, which the "
                "file does not hold: give it to load(), or have the class keep it as "
                f"self.{name}, and train again."
            )
    given = {name: given[name] for name in parameters if name in given}
    try:
        with pytensor.config.change_flags(floatX=floatX):
            return cls(**given)
    except Exception as error:  # of a reader's class, given what a file holds
        given = {n: v for n, v in given.items() if _can_be_kept([v])}
        raise ModelFileError(
            f"{where}: expected to make a model of the class {cls.__name__} with "
            f"{given!r:.200}, found that this fails ({error}): give load() the "
            "arguments that it had."
        ) from error


def _difference(model, state):
    """Describe how a model would predict otherwise than that of the state; or ""."""
    kinds = [kind_of(param.get_value(borrow=True)) for param in model.params]
    kept = [kind_of(value) for value in state["params"]]
    if kinds != kept:
        return f"params {', '.join(kinds)} instead of {', '.join(kept)}"
    if state["metadata"]["versions"].get("pytensor") != pytensor.__version__:
        return ""  # another version may write the same model in another way
    graph = backends.describe([model.y_pred], ["y_pred"])
    changed = backends.first_difference(graph, state["graph"])
    return "{1} instead of {2:.200} in {0}".format(*changed) if changed else ""
