"""Stand-ins for the functions of NumPy that pickles of arrays call.

Each checks the dtype, shape and number of bytes that a file names, and then has NumPy
build the array as it builds those of any pickle. Any exception may come of arguments
that make no sense.
"""

import math
import re

import numpy as np

MAX_DIMENSIONS = 32  # of every NumPy; the product of many more lengths takes minutes
NDARRAY = object()  # the class; only `reconstruct` takes it


class ArrayPickleError(ValueError):
    """A pickle that is broken, or that holds more than plain data and arrays."""


def make_dtype(code, *_):
    """Make a dtype from NumPy's code for it, such as ``f4``, to be given a state."""
    if not re.fullmatch(r"b1|[iu][1248]|f[248]", code):
        raise ArrayPickleError(
            f"refused an array of dtype {code[:40]!a}: expected numbers"
        )
    return np.dtype(code, copy=True)


def set_dtype_state(dtype, state):
    """Give a dtype that `make_dtype` made its byte order."""
    order, *records = state[1:5]
    if records != [None] * 3 or order not in tuple("<>=|"):
        raise ArrayPickleError("refused an array of records: expected numbers")
    dtype.__setstate__((3, order, None, None, None, -1, -1, 0))


def reconstruct(cls, *_):
    """Make an array that waits for its state."""
    if cls is not NDARRAY:
        raise ArrayPickleError("refused an array of another class than numpy.ndarray")
    return np.ndarray((0,), "b")


def set_array_state(array, state):
    """Give a new array its shape and elements, in native byte order.

    `state` holds the format's version, shape, dtype, a flag for Fortran order, and the
    elements: `bytes`, or a byte string of Python 2 as `str` decoded by Latin-1. The
    array may share their memory, as NumPy has it.
    """
    _version, shape, dtype, fortran_order, data = state
    if not isinstance(dtype, np.dtype) or type(data) not in (bytes, str):
        raise ArrayPickleError("expected the bytes and the dtype of an array")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS:
        raise ArrayPickleError(
            f"expected an array's shape of at most {MAX_DIMENSIONS} lengths, found "
            f"{len(shape)}"
        )
    # NumPy multiplies the lengths that are not 0, to have the strides.
    span = math.prod(length or 1 for length in shape) * dtype.itemsize
    if not all(type(n) is int and n >= 0 for n in shape) or span >= 2**63:
        raise ArrayPickleError("expected an array's shape, found impossible lengths")
    needed = math.prod(shape) * dtype.itemsize
    if len(data) != needed:
        raise ArrayPickleError(
            f"expected {needed} bytes for an array of shape {shape} and dtype {dtype}, "
            f"found {len(data)}"
        )
    if dtype.kind == "b":
        # A bool array is undefined behaviour where its bytes are not 0 or 1.
        data = data.encode("latin1") if isinstance(data, str) else data
        data = (np.frombuffer(data, np.uint8) != 0).tobytes()
    # Of the file's dtype only a copy, as its state may be set once more.
    dtype = np.dtype(dtype.str)
    array.__setstate__((1, shape, dtype, bool(fortran_order), data))


def frombuffer(data, dtype, shape, order="C", axes=None):
    """Make an array at once, as protocol 5 does; see `set_array_state`."""
    array = reconstruct(NDARRAY)
    set_array_state(array, (1, shape, dtype, order == "F", data))
    return array.transpose(axes) if order == "K" else array


def scalar(dtype, data):
    """Make a NumPy scalar."""
    return frombuffer(data, dtype, ())[()]


def encode(text, codec):
    """Make bytes, as Python 3 writes them in protocols 0 to 2; may be done already."""
    if codec != "latin1":
        raise ArrayPickleError(f"refused the codec {str(codec)[:40]!a}")
    return text if isinstance(text, bytes) else text.encode("latin1")
