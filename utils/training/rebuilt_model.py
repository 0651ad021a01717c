"""The model that a saved state describes, made again; see `model_state`."""

import inspect

import numpy as np
import pytensor
import pytensor.tensor as T
from pytensor.compile.mode import Mode

from utils import backends
from utils.errors import ModelFileError

from .kept_variables import kind_of
from .model_state import LESSON, can_be_kept


def rebuild(state, cls, arguments, where):
    """Make an instance of a class that has a model's state.

    Parameters
    ----------
    state : dict
        As `model_state.state_of` gives it.
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
        given = {n: v for n, v in given.items() if can_be_kept([v])}
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
