"""Read a folder of four .npy arrays, named as in Keras's .npz files.

Unlike in an .npz, bytes can be mapped into memory there.
"""

import os

import numpy as np

from utils.errors import DatasetError

from .mapping import map_bytes
from .npy import read_header, read_npy
from .reading import reading
from .streams import is_plain, open_stream

FILES = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")


def is_one(folder):
    """Whether a folder holds any of the four files.

    Parameters
    ----------
    folder : str

    Returns
    -------
    bool
    """
    return any(os.path.exists(os.path.join(folder, name)) for name in FILES)


def read(folder):
    """Read the training and test sets of a folder.

    Parameters
    ----------
    folder : str

    Returns
    -------
    list of two (x, y) pairs
        Training and test, of the shapes and dtypes that the files have. Images of
        bytes in C order are mapped, see `mapping.map_bytes`.

    Raises
    ------
    DatasetError
        If a file is missing or broken.
    """
    missing = [name for name in FILES if not os.path.exists(os.path.join(folder, name))]
    if missing:
        raise DatasetError(
            f"{folder}: expected the files {', '.join(FILES)}, found no "
            f"{', '.join(missing)}. Save each array with numpy.save."
        )
    arrays = [_read_file(os.path.join(folder, name)) for name in FILES]
    return [tuple(arrays[:2]), tuple(arrays[2:])]


def _read_file(path):
    with reading(path):
        stream, size = open_stream(path)
        with stream:
            shape, dtype, fortran_order = read_header(stream, path)
            mapped = (
                dtype == np.uint8
                and len(shape) > 1
                and not fortran_order
                and is_plain(stream)
            )
            if mapped:
                offset = stream.tell()
                array = map_bytes(stream, offset, shape)
                stream.seek(offset + array.size)
            else:
                stream.seek(0)
                array = read_npy(stream, size, path)
            if stream.read(1):
                raise DatasetError(f"{path}: found more bytes than its header says.")
            return array
