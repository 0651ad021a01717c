"""Tell one dataset from another."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

N_IMAGES = 512  # of each split, the first and the last among them


def fingerprint(splits: Iterable[tuple[NDArray, NDArray]]) -> str:
    """Describe a dataset in a line that other datasets are unlikely to have.

    Not all images are looked at: those of a mapped dataset can be gigabytes.

    Parameters
    ----------
    splits : list of three (x, y) pairs of numpy.ndarray
        Images ``(n, n_in)`` and labels ``(n,)``.

    Returns
    -------
    str
        The splits' sizes, the number of features, and 16 hexadecimal digits of a
        SHA-256 of all shapes, dtypes and labels and of up to `N_IMAGES` images of each
        split, evenly spaced.
    """
    digest = hashlib.sha256()
    for x, y in splits:
        digest.update(f"{x.dtype}{x.shape}{y.dtype}{y.shape}".encode())
        digest.update(np.ascontiguousarray(y))
        sampled = np.linspace(0, len(x) - 1, min(len(x), N_IMAGES), dtype=int)
        digest.update(np.ascontiguousarray(x[sampled]))
    sizes = " + ".join(str(len(x)) for x, _ in splits)
    return f"{sizes} examples of {x.shape[1]}, {digest.hexdigest()[:16]}"
