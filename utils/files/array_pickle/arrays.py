"""Build NumPy arrays from what a pickle says of them, after checking it."""

import enum
import math
import re

import numpy as np

MAX_DIMENSIONS = 32  # of every NumPy; the product of many more lengths takes minutes


class ArrayPickleError(ValueError):
    """A pickle that is broken, or that holds more than plain data and arrays."""


class Known(enum.Enum):
    """The globals that the machine recognises."""

    RECONSTRUCT = enum.auto()
    FROMBUFFER = enum.auto()
    SCALAR = enum.auto()
    NDARRAY = enum.auto()
    DTYPE = enum.auto()
    ENCODE = enum.auto()
    BYTES = enum.auto()


GLOBALS = {
    ("numpy", "ndarray"): Known.NDARRAY,
    ("numpy", "dtype"): Known.DTYPE,
    # Protocols 0 to 2 have no bytes: Python 3 writes calls that make them.
    ("_codecs", "encode"): Known.ENCODE,
    ("__builtin__", "bytes"): Known.BYTES,
}
# NumPy 2 renamed `numpy.core`; files of both ages are about.
for _core in ("numpy.core", "numpy._core"):
    GLOBALS[_core + ".multiarray", "_reconstruct"] = Known.RECONSTRUCT
    GLOBALS[_core + ".multiarray", "scalar"] = Known.SCALAR
    GLOBALS[_core + ".numeric", "_frombuffer"] = Known.FROMBUFFER


class Unbuilt:
    """An array, or a dtype of the given code, that waits for the state of its BUILD."""

    def __init__(self, code=None):
        self.code = code
        self.memo_indices = []

    def build(self, state):
        """The dtype or array that the state, a tuple as NumPy pickles it, describes."""
        if self.code is None:
            _version, shape, dtype, fortran_order, data = state
            return build_array(data, dtype, shape, "F" if fortran_order else "C")
        order, subarray, names, fields = state[1:5]
        if not (subarray is names is fields is None and order in tuple("<>=|")):
            raise ArrayPickleError("refused an array of records: numbers are expected")
        return np.dtype(order + self.code)


class Raw:
    """Bytes that went from the file straight into `flat`, an array of uint8."""

    def __init__(self, flat):
        self.flat = flat


def unbuilt_dtype(code):
    """Start a dtype, of bool, integers or floats, from NumPy's code such as ``f4``."""
    if not re.fullmatch(r"b1|[iu][1248]|f[248]", code):
        raise ArrayPickleError(
            f"refused an array of dtype {code[:40]!a}: "
            "bool, integer and float arrays are expected"
        )
    return Unbuilt(code)


def build_array(data, dtype, shape, order="C", axes=None):
    """An array of its own memory, in native byte order.

    Parameters
    ----------
    data : Raw, bytes, bytearray or str
        The elements; a `str` is a byte string of Python 2, decoded as Latin-1.
    dtype : numpy.dtype
    shape : tuple of int
    order : {"C", "F", "K"}
        ``"K"``: C order, then `axes` transposed, as `numpy._core.numeric` has it.

    Raises
    ------
    ArrayPickleError
        If the number of bytes is not what dtype and shape need.
    """
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, (Raw, bytes, bytearray)) or not isinstance(dtype, np.dtype):
        raise ArrayPickleError("expected the bytes and the dtype of an array")
    if type(shape) is not tuple or not all(
        type(length) is int and 0 <= length < 2**63 for length in shape
    ):
        raise ArrayPickleError("expected an array's shape, found no whole numbers")
    if len(shape) > MAX_DIMENSIONS:
        raise ArrayPickleError(
            f"expected at most {MAX_DIMENSIONS} dimensions of an array, found "
            f"{len(shape)}"
        )
    available = data.flat.size if isinstance(data, Raw) else len(data)
    needed = math.prod(shape) * dtype.itemsize
    if available != needed:
        raise ArrayPickleError(
            f"expected {needed} bytes for an array of shape {shape} and dtype {dtype}, "
            f"found {available}"
        )
    flat = data.flat if isinstance(data, Raw) else np.array(bytearray(data), np.uint8)
    if dtype.kind == "b":
        # A bool array is undefined behaviour where its bytes are not 0 or 1.
        flat = flat != 0
    elif not dtype.isnative:
        flat = flat.view(dtype).byteswap(inplace=True)
    flat = flat.view(dtype.newbyteorder("="))
    if order == "K":
        return flat.reshape(shape).transpose(axes)
    return flat.reshape(shape, order=order)
