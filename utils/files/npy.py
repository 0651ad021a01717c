"""Read a numeric .npy array, taking no memory on the file's word.

`numpy.lib.format.read_array` allocates what a header claims before it looks for the
elements. Here the claim is first compared with what the file can hold.
"""

import io
import math
import warnings

import numpy as np
from numpy.lib import format as npy_format

MAX_HEADER_BYTES = 4096
CHUNK = 2**18


def read_npy(stream, size, where):
    """Read a stream that holds one numeric .npy array and nothing else.

    Parameters
    ----------
    stream : binary stream with `readinto`
    size : int
        The most bytes that `stream` can give; memory is taken only within them.
    where : str
        The array's name in messages.

    Returns
    -------
    numpy.ndarray
        In native byte order.

    Raises
    ------
    ValueError
        If it is no .npy array of numbers, or if something follows it.
    EOFError
        If it is cut short.
    """
    try:
        shape, dtype, fortran_order = read_header(stream)
        array = read_array(stream, shape[::-1] if fortran_order else shape, dtype, size)
    except (ValueError, EOFError) as error:
        raise type(error)(f"{where}: {error}") from error
    return array.T if fortran_order else array


def read_header(stream):
    """Read what precedes the elements: their shape, dtype and `fortran_order`.

    The dtype is one of bool, integers or floats of at most 8 bytes, in the file's byte
    order; `fortran_order` is True if the first index changes fastest. A `ValueError`
    says if it is not the header of such an array, or longer than `MAX_HEADER_BYTES`.
    """
    expected = "expected the header of an array of bool, integers or floats, found"
    try:
        shape, fortran_order, dtype = _parsed_header(stream)
    # Python's parser, which reads the header, fails in many ways; it runs nothing.
    except Exception as error:
        raise ValueError(f"{expected} none ({str(error)[:120]})") from error
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(f"{expected} the dtype {str(dtype)[:40]}")
    if not all(type(length) is int and 0 <= length < 2**63 for length in shape):
        raise ValueError(f"{expected} the shape {str(shape)[:40]}")
    return shape, dtype, fortran_order


def _parsed_header(stream):
    version = npy_format.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"its version is {version}")
    length = stream.read(2 if version == (1, 0) else 4)
    # NumPy would read all that a header claims before it compares it with the limit.
    text = stream.read(min(int.from_bytes(length, "little"), MAX_HEADER_BYTES))
    parse = npy_format.read_array_header_2_0  # version 3 differs in the names of fields
    if version == (1, 0):
        parse = npy_format.read_array_header_1_0
    # They would be about the file's text, such as the long integers of Python 2.
    with warnings.catch_warnings(action="ignore"):
        return parse(io.BytesIO(length + text), max_header_size=MAX_HEADER_BYTES)


def read_array(stream, shape, dtype, size):
    """Read an array's elements in C order, up to the end of a stream.

    `shape` and `dtype` are as of `read_header`; the rest is as of `read_npy`. The array
    has its own memory.
    """
    needed = math.prod(shape) * dtype.itemsize
    if needed > size:
        raise EOFError(f"expected {needed} bytes of elements, found at most {size}")
    elements = np.empty(needed, np.uint8)
    left = memoryview(elements)
    while len(left):
        received = stream.readinto(left[:CHUNK])
        if not received:
            raise EOFError(
                f"expected {needed} bytes of elements, found {needed - len(left)}: the "
                "file is cut short"
            )
        left = left[received:]
    if stream.read(1):
        raise ValueError(f"expected {needed} bytes of elements, found more bytes")
    if dtype.kind == "b":
        # A bool array is undefined behaviour where its bytes are not 0 or 1.
        return (elements != 0).reshape(shape)
    if not dtype.isnative:
        elements.view(dtype).byteswap(inplace=True)
    return elements.view(dtype.type).reshape(shape)
