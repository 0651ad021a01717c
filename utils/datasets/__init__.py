"""Load a dataset: from a name, a path or arrays to three checked (x, y) pairs."""

import itertools
import os
from collections.abc import Callable, Sequence

from numpy.typing import NDArray

from utils.errors import DatasetError, MnistUnavailableError

from . import arrays, digits, formats, published
from .arrays import are_arrays, as_array, name_arrays
from .fingerprint import fingerprint
from .mapping import read_ahead
from .published import MNIST, class_names, find, published_name
from .splits import bytes_or_floats, check, scale, whole_256ths
from .streams import reading

__all__ = [
    "MNIST",
    "DatasetError",
    "MnistUnavailableError",
    "are_arrays",
    "as_array",
    "bytes_or_floats",
    "class_names",
    "find",
    "fingerprint",
    "load",
    "name_arrays",
    "places",
    "published_name",
    "read_ahead",
]


def places(dataset: str | os.PathLike | Sequence) -> list[str]:
    """List the paths of the files that `load` reads, those it would find included.

    Nothing is read or downloaded. See `load` for `dataset`; arrays and ``digits`` have
    no files of a person's.
    """
    name = "digits" if are_arrays(dataset) else os.fsdecode(dataset)  # type: ignore
    known = published_name(name)
    if known:
        folders = list(filter(None, published.folders(known)))
        pickles = [MNIST, *(os.path.join(folder, MNIST) for folder in folders)]
        found = list(itertools.chain(*map(formats.places, folders)))
        return (pickles if known == MNIST else []) + found
    return [] if name == "digits" else formats.places(name)


def load(
    dataset: str | os.PathLike | Sequence,
    offline: bool = False,
    notify: Callable[[str], object] | None = None,
    dtype: str | None = None,
) -> list[tuple[NDArray, NDArray]]:
    """Load a dataset of images and their classes.

    Parameters
    ----------
    dataset : str, os.PathLike or arrays
        - ``digits``: the 1,797 handwritten digits, 8 x 8, that scikit-learn carries.
          In file order 1,197 are for training, 300 for validation, 300 for test;
          pixels (0 to 16) are divided by 16.
        - ``mnist.pkl.gz``, without a folder, or ``mnist``, and ``fashion_mnist``:
          MNIST and Fashion-MNIST, wherever `published.find` finds them. Otherwise they
          are downloaded.
        - The path of a ``.pkl.gz`` or ``.pkl`` file in the tutorials' layout: three
          (images, labels) pairs, pickled by Python 2 or 3.
        - The path of a folder of four IDX files, or of an ``.npz`` with ``x_train``,
          ``y_train``, ``x_test`` and ``y_test``, or of a folder of the same four as
          ``.npy``. The last 10,000 training images, or the last sixth of fewer than
          60,000, are for validation.

          A file's format is recognised by its first bytes, not by its name.
        - Arrays: ``[(x, y), (x, y), (x, y)]`` for training, validation and test, or
          one ``(x, y)``, of which the last seventh (at most 10,000) is for test, and
          of the rest the last sixth (at most 10,000) for validation. The order is
          kept: data sorted by class have to be shuffled first. x: ``(n, ...)``, y:
          ``(n,)``, NumPy arrays or whatever ``numpy.asarray`` makes one of.
    offline : bool, default False
        Do not download anything.
    notify : callable, optional
        Called with one-line messages, such as where a download comes from.
    dtype : "uint8" or None, default None
        "uint8" asks for bytes, and leaves the division by 256 to the caller.

    Returns
    -------
    list of three (x, y) pairs
        Training, validation and test. x: C-contiguous ``(n, n_in)`` float32 (float64
        where a file of float64 holds values that float32 does not); whole-number
        pixels, 0 to 255, are divided by 256 as the tutorial does, floats are kept,
        bool is 0 or 1. y: ``(n,)`` int32, from 0 to the largest training label.
        Where bytes are asked for, x is uint8 if every pixel is a whole 256th, otherwise
        as above. Bytes of plain IDX and .npy files are mapped into memory. Arrays that
        were given are never written to; what needs no conversion is not copied.

    Raises
    ------
    DatasetError
        If there is no such dataset, or it is broken or unfit; the message names the
        file or the arrays, what was expected, what was found, and what to do.
    MnistUnavailableError
        A `DatasetError`: MNIST was asked for by its bare name, and is neither here nor
        can be downloaded. Fashion-MNIST raises a `DatasetError`.
    """
    name = arrays.WHERE if are_arrays(dataset) else os.fsdecode(dataset)  # type: ignore
    known = published_name(name)
    if known:
        name = find(known, offline, notify)
    with reading(name):
        if are_arrays(dataset):
            splits = check(arrays.read(dataset), name)
        elif arrays.NAME.fullmatch(name):
            raise DatasetError(
                f"{name}: these arrays came from a program, and are in no file. Give "
                "them again instead of a name, or name a file that holds them."
            )
        elif name == "digits":
            splits = check(digits.read(), name)
        else:
            splits = formats.read(name)
        if dtype == "uint8":
            in_bytes = [(whole_256ths(x), y) for x, y in splits]
            if all(x.dtype == "uint8" for x, _ in in_bytes):
                return in_bytes
        return scale(splits)
