"""Tell one dataset from another."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

N_IMAGES = 512  # of each split, the first and the last among them


def fingerprint(splits: Iterable[tuple[NDArray, NDArray]]) -> str:
    """Describe a dataset in a line that other datasets are unlikely to have.

    It has the splits' sizes, the number of features, and 16 hexadecimal digits of a
    SHA-256 of all shapes, dtypes and labels and of up to `N_IMAGES` images of each
    split, evenly spaced: all images of a mapped dataset can be gigabytes. `splits` are
    (x, y) pairs of arrays ``(n, n_in)`` and ``(n,)``.
    """
    digest = hashlib.sha256()
    for x, y in splits:
        digest.update(f"{x.dtype}{x.shape}{y.dtype}{y.shape}".encode())
        digest.update(np.ascontiguousarray(y))
        sampled = np.linspace(0, len(x) - 1, min(len(x), N_IMAGES), dtype=int)
        digest.update(np.ascontiguousarray(x[sampled]))
    sizes = " + ".join(str(len(x)) for x, _ in splits)
    return f"{sizes} examples of {x.shape[1]}, {digest.hexdigest()[:16]}"
