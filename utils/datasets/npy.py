"""Read a numeric .npy array, the format that `numpy.lib.format` describes.

NumPy's own reader takes the memory that a header claims before it looks for the
elements, and parses the header as Python source; this one does neither.
"""

import re
import struct

import numpy as np

from utils.errors import DatasetError

from .streams import read_array

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 2**12
_HEADER = re.compile(
    r"\{'descr': '([<>|=]?)(b1|[iu][1248]|f[248])', 'fortran_order': (True|False), "
    r"'shape': \(((?:[0-9]{1,18}, ?)*(?:[0-9]{1,18})?)\),? *\} *\n?"
)


def read_npy(stream, size, where):
    """Read one numeric .npy array.

    Parameters
    ----------
    stream : binary stream
    size : int
        The most bytes that `stream` can give.
    where : str
        What a message names the array by.

    Returns
    -------
    numpy.ndarray
        In native byte order.

    Raises
    ------
    DatasetError
        If it is no .npy file of numbers.
    EOFError
        If it is cut short.
    """
    shape, dtype, fortran_order = read_header(stream, where)
    if fortran_order:
        array = read_array(stream, shape[::-1], dtype, size).T
    else:
        array = read_array(stream, shape, dtype, size)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_header(stream, where):
    """Read what stands before the elements of a .npy array.

    Parameters
    ----------
    stream, where
        As for `read_npy`.

    Returns
    -------
    shape : tuple of int
    dtype : numpy.dtype
    fortran_order : bool
        Whether the first index changes fastest.

    Raises
    ------
    DatasetError, EOFError
        As for `read_npy`.
    """
    magic = stream.read(8)
    if magic[:6] != _MAGIC or magic[6:7] not in (b"\1", b"\2", b"\3"):
        raise DatasetError(f"{where}: expected a .npy array, found {magic[:8]!r}.")
    layout = "<H" if magic[6] == 1 else "<I"
    length_bytes = stream.read(struct.calcsize(layout))
    if len(length_bytes) < struct.calcsize(layout):
        raise EOFError("the .npy header is cut short")
    (length,) = struct.unpack(layout, length_bytes)
    text = stream.read(min(length, _LONGEST_HEADER)).decode("latin1")
    match = _HEADER.fullmatch(text)
    if match is None:
        raise DatasetError(
            f"{where}: expected the header of an array of bool, integers or floats, "
            f"found {text[:120].rstrip()!a}."
        )
    order, code, fortran_order, lengths = match.groups()
    shape = tuple(int(length) for length in re.findall(r"\d+", lengths))
    return shape, np.dtype(order + code), fortran_order == "True"
