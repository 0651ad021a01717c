"""Read a folder of IDX files, the format in which MNIST and its like are published.

An IDX file is a magic number (its last bytes: element type, number of dimensions),
the lengths of the dimensions as big-endian 32-bit integers, and the elements; see
http://yann.lecun.com/exdb/mnist/.
"""

import math
import os
import struct

import numpy as np

from utils.errors import DatasetError
from utils.files.npy import read_array

from .mapping import map_bytes
from .streams import is_plain, open_stream

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_MAGIC = {1: 0x0801, 3: 0x0803}  # number of dimensions of unsigned bytes: magic number


def variants(name):
    """List the names under which one of `FILES` is found, the first first."""
    dotted = name.replace("-idx", ".idx")
    return name, dotted, name + ".gz", dotted + ".gz"


def paths(folder):
    """Find the four files of a folder, plain or else gzipped.

    ``train-images.idx3-ubyte``, as some archives have it, is found too. Returns the
    paths of those that exist, in the order of `FILES`, and the names of the others.
    """
    found, missing = [], []
    for name in FILES:
        for variant in variants(name):
            path = os.path.join(folder, variant)
            if os.path.exists(path):
                found.append(path)
                break
        else:
            missing.append(name)
    return found, missing


def read(folder):
    """Read the training and test images ``(n, pixels)`` and labels ``(n,)``, uint8.

    In the order of `FILES`. Images of a file that is not gzipped are mapped, see
    `mapping.map_bytes`.
    """
    found, missing = paths(folder)
    if missing:
        raise DatasetError(
            f"{folder}: expected the four IDX files of a dataset, found no "
            f"{', '.join(missing)} (nor with .gz). Name the folder that holds all four."
        )
    return list(map(_read_file, found, (3, 1, 3, 1)))


def _read_file(path, dimensions):
    with open_stream(path) as (stream, size):
        shape = _read_shape(path, stream, dimensions)
        if dimensions == 3 and is_plain(stream):
            return map_bytes(stream, shape)
        return read_array(stream, shape, np.dtype(np.uint8), size)


def _read_shape(path, stream, dimensions):
    header = stream.read(4 * (1 + dimensions))
    if len(header) < 4 * (1 + dimensions):
        raise EOFError("the header is cut short")
    magic, n, *image = struct.unpack(f">{1 + dimensions}I", header)
    if magic != _MAGIC[dimensions]:
        raise DatasetError(
            f"{path}: expected the magic number 0x{_MAGIC[dimensions]:08x} of "
            f"{'images' if dimensions == 3 else 'labels'}, found 0x{magic:08x}. "
            "Check that this file was not mixed up with another."
        )
    return (n, math.prod(image)) if image else (n,)
