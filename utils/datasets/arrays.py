"""Take arrays that a program hands over instead of the name of a dataset."""

import os
import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from utils.errors import DatasetError

from .splits import as_rows, split_validation

WHERE = "the arrays given"
TEST_SIZE = 10_000

# What `name_arrays` makes.
NAME = re.compile(r"arrays \(\d+ \+ \d+ \+ \d+ examples of \d+, [0-9a-f]{16}\)")


def are_arrays(dataset: object) -> bool:
    """Return True for whatever is not the name or path of a dataset."""
    return not isinstance(dataset, (str, bytes, os.PathLike))


def name_arrays(fingerprint: str) -> str:
    """The name of arrays, by their `fingerprint.fingerprint`: they have no path."""
    return f"arrays ({fingerprint})"


def read(dataset):
    """Return the three (x, y) pairs of NumPy arrays that `dataset` holds.

    See `utils.datasets.load` for what it may be. Nothing is copied that NumPy can look
    at where it lies; the arrays are still to be checked by `splits.check`.
    """
    if is_sequence(dataset, 3) and all(is_sequence(pair, 2) for pair in dataset):
        return [(as_array(x, WHERE), as_array(y, WHERE)) for x, y in dataset]
    # Of lists of two, which two pairs are as well, there is nothing to split.
    if not is_sequence(dataset, 2) or all(is_sequence(v, 2) for v in dataset):
        raise DatasetError(
            "expected the name or path of a dataset, or arrays: three pairs [(x, y), "
            "(x, y), (x, y)] for training, validation and test, or one pair (x, y) to "
            f"be split; found {_described(dataset)}"
        )
    x, y = as_rows(*(as_array(value, WHERE) for value in dataset), WHERE)
    steps = np.diff(y.astype(np.int64))
    if steps.any() and ((steps >= 0).all() or (steps <= 0).all()):
        raise DatasetError(
            f"{WHERE}: expected classes in mixed order, found labels sorted from "
            f"{y[0]} to {y[-1]}: the last examples, for validation and test, would be "
            "of other classes than the first. Shuffle x and y in the same order: "
            "order = numpy.random.default_rng(0).permutation(len(y))."
        )
    n = len(x) - min(TEST_SIZE, len(x) // 7)
    return split_validation(x[:n], y[:n], x[n:], y[n:])


def as_array(value: ArrayLike, where: str) -> NDArray:
    """Bring a value to a NumPy array, aligned and in native byte order.

    `where` is what a `DatasetError` calls it, if NumPy cannot make it an array, or
    some of its elements are masked.
    """
    if np.ma.is_masked(value):
        raise DatasetError(
            f"{where}: expected an array, found one with {np.ma.count_masked(value)} "
            "masked elements, whose values would be used: leave out their examples, or "
            "give them a value with .filled(0)."
        )
    try:
        array = np.require(value, requirements=["ALIGNED", "ENSUREARRAY"])
    # What is asked for its array can be of any library, and fail in any way.
    except Exception as error:
        raise DatasetError(
            f"{where}: expected arrays, found a {type(value).__name__} that NumPy "
            f"cannot make one ({str(error)[:300]})"
        ) from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def is_sequence(value, length):
    return isinstance(value, (tuple, list)) and len(value) == length


def _described(value):
    kind = type(value).__name__
    if not isinstance(value, (tuple, list)):
        return kind
    pairs = " pairs" if value and all(is_sequence(v, 2) for v in value) else ""
    return f"a {kind} of {len(value)}{pairs}"
