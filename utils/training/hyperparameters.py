"""Hyperparameters, checked before any data is read or before training begins."""

import sys
from numbers import Integral, Real

from utils.errors import HyperparameterError
from utils.text import number


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
        least = 0 if name == "shuffle" else 1
        if value is None and name != "n_epochs":
            continue
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise HyperparameterError(
                f"{name} is {number(value)}: expected a whole number of at least "
                f"{least}."
            )
    is_number = isinstance(learning_rate, Real)
    if not is_number or not 0 < learning_rate <= sys.float_info.max:
        raise HyperparameterError(
            f"learning_rate is {number(learning_rate)}: expected a finite number above "
            "0; the tutorial uses 0.13."
        )


def minibatch_counts(split_sizes, batch_size=None):
    """Count the full minibatches in each split; the remainder is left out.

    Parameters
    ----------
    split_sizes : sequence of int
        Number of examples in the training, validation and test split.
    batch_size : int or None
        Examples in a minibatch. None (default) means the tutorial's 600, or 20 where
        a split holds fewer than 600.

    Returns
    -------
    batch_size : int
    n_train_batches, n_valid_batches, n_test_batches : int

    Raises
    ------
    HyperparameterError
        Where a minibatch is larger than a split; names both sizes.
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
