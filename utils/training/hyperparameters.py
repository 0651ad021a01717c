"""Hyperparameters, checked before any data is read or before training begins.

The bounds are also those of the numbers that checkpoints and models keep: a run can
read what it wrote, and nothing that no run can have written.
"""

import math
import sys
from numbers import Integral, Real

from utils.errors import HyperparameterError
from utils.text import number

# Whole numbers: the least, and the power of 2 below which they stay. No machine trains
# 2**40 minibatches; of a seed, NumPy recommends 128 bits.
WHOLE = {
    **dict.fromkeys(("n_epochs", "n_steps", "batch_size", "shards", "step"), (1, 40)),
    **dict.fromkeys(("epoch", "best_epoch"), (0, 40)),
    "iter": (-1, 53),
    "shuffle": (0, 128),
    **dict.fromkeys(("n_in", "n_out"), (1, 28)),
}
# The least and the largest of other numbers.
FLOATS = {
    "learning_rate": (math.ulp(0.0), sys.float_info.max),
    "seconds": (0.0, 2.0**53),
    "patience": (0.0, math.inf),
    "patience_increase": (0.0, math.inf),
    "improvement_threshold": (0.0, math.inf),
}
# The largest magnitude of figures; what is not known is NaN or infinite. A reader's
# script may validate by another loss, which need not be a fraction of 1.
FIGURES = {
    "cost": sys.float_info.max,
    **dict.fromkeys(("best_validation_loss", "validation_loss"), 2.0**53),
    **dict.fromkeys(("validation_error", "test_error", "test_score"), 2.0**53),
}


def within_bounds(name, value):
    """Tell if a run can have a number under one of the names above."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    if name in WHOLE:
        least, bits = WHOLE[name]
        return isinstance(value, Integral) and least <= int(value) < 2**bits
    try:
        real = float(value)
    except OverflowError:
        return False
    if name in FIGURES:
        return not math.isfinite(real) or abs(real) <= FIGURES[name]
    least, largest = FLOATS[name]
    return least <= real <= largest


def check_hyperparameters(
    n_epochs, batch_size=None, learning_rate=1.0, shuffle=None, n_steps=None
):
    """Refuse hyperparameters that training cannot use, before any data is read.

    See `utils.training.Run` for each. A `HyperparameterError` says what was expected
    and found.
    """
    whole = {"n_epochs": n_epochs, "batch_size": batch_size}
    whole |= {"shuffle": shuffle, "n_steps": n_steps}
    for name, value in whole.items():
        if value is None and name != "n_epochs":
            continue
        if not within_bounds(name, value):
            least, bits = WHOLE[name]
            raise HyperparameterError(
                f"{name} is {number(value)}: expected a whole number of at least "
                f"{least} and below 2**{bits}."
            )
    if not within_bounds("learning_rate", learning_rate):
        raise HyperparameterError(
            f"learning_rate is {number(learning_rate)}: expected a finite number above "
            "0; the tutorial uses 0.13."
        )


def minibatch_counts(split_sizes, batch_size=None):
    """Count the full minibatches in each split; see `utils.training.Run.set_data`.

    `split_sizes` are the numbers of examples. A `HyperparameterError` names the size of
    a split that is smaller than a minibatch.
    """
    if batch_size is None:
        batch_size = 600 if min(split_sizes) >= 600 else 20
    names = ("training", "validation", "test")
    for name, size in zip(names, split_sizes, strict=True):
        if size < batch_size:
            raise HyperparameterError(
                f"A minibatch of {number(batch_size)} examples is larger than the "
                f"{name} split, which holds {size}: choose a batch size of at most "
                f"{min(split_sizes)}."
            )
    return batch_size, *(size // batch_size for size in split_sizes)
