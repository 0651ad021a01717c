"""Read pickles that hold plain data and NumPy arrays, without running them.

A pickle is a program for a small stack machine, and `pickle.load` runs whatever
program a file contains: it calls functions, and takes memory on the file's word. The
machine here has only the opcodes that make data (`machine`). It imports and calls
nothing that a file names: NumPy's constructors are recognised by name, and code that
checks dtype, shape and number of bytes stands in for them (`arrays`).
"""

import errno
import io
import os
import stat

import numpy as np

from .arrays import ArrayPickleError
from .machine import MAX_OPCODES, Machine
from .opcodes import run

__all__ = ["ArrayPickleError", "load", "load_file"]

MAX_DEPTH = 64
MAX_FILE_BYTES = 2**32
_PLAIN_TYPES = {str, bytes, bytearray, int, float, bool, type(None), np.ndarray}


def load(source, extra=None, size=None):
    """Read one pickle of plain data and numeric NumPy arrays, of protocol 0 to 5.

    Parameters
    ----------
    source : bytes-like, or binary stream with `read`, `readinto` and `readline`
        The pickle. Nothing may follow it.
    extra : dict, optional
        ``{("module", "name"): cls}``: classes of the caller's that stand for these
        globals. An instance is made by ``cls()``, and the state in the file, a dict
        with `str` keys, is added to its ``__dict__``. Default: none.
    size : int, optional
        The most bytes that `source` can hold; needed for a stream. What the pickle
        claims beyond them is refused before memory is taken.

    Returns
    -------
    object
        Tuples, lists, dicts with `str` keys, `str` (byte strings of Python 2 are
        decoded as Latin-1), `bytes`, numbers, None, NumPy scalars, and arrays of
        bool, integers or floats in native byte order; nested at most `MAX_DEPTH`
        deep and without cycles, so that walking through it ends.

    Raises
    ------
    ArrayPickleError
        If the pickle is broken, or asks for anything else, which is then named.
    OSError
        If `source` raises it.
    """
    stream = source if hasattr(source, "readinto") else io.BytesIO(source)
    machine = Machine(stream, len(source) if size is None else size, extra or {})
    try:
        result = run(machine)
        _check_tree(result, set(machine.extra.values()))
    except (ArrayPickleError, OSError):
        raise
    # A hostile stream can fail in any handler in any way; all of it is one error.
    except Exception as error:
        raise ArrayPickleError(
            f"expected a sound pickle, found no sense in what stands before byte "
            f"{machine.reader.position} ({type(error).__name__})"
        ) from error
    if stream.read(1):
        raise ArrayPickleError(
            f"expected the end at byte {machine.reader.position}, where the pickle "
            "stops, found more bytes"
        )
    return result


def load_file(path, extra=None):
    """Read the one pickle that a file holds; see `load`.

    Parameters
    ----------
    path : str or os.PathLike
        At most `MAX_FILE_BYTES` of it are read.
    extra : dict, optional

    Returns
    -------
    object

    Raises
    ------
    ArrayPickleError
    OSError
        If the file cannot be read, or is a device or a pipe, which may never end.
    """
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "it is a device, pipe or socket")
    with open(path, "rb") as file:
        return load(file, extra, min(status.st_size, MAX_FILE_BYTES))


def _check_tree(root, instance_types):
    """Raise unless `root` is a finite tree of plain values.

    A few shared references can stand for a tree of 2**64 nodes, so the nodes are
    counted before they are visited, and a list may contain itself.
    """
    waiting, nodes = [(root, 0)], 1
    while waiting:
        value, depth = waiting.pop()
        kind = type(value)
        if kind in (tuple, list):
            children = value
        elif kind is dict:
            children = value.values()
        elif kind in instance_types:
            children = vars(value).values()
        elif kind in _PLAIN_TYPES or isinstance(value, np.generic):
            continue
        else:
            raise ArrayPickleError(
                "expected plain data and arrays, found an unfinished array or a "
                "function or class that nothing uses"
            )
        nodes += len(children)
        if depth >= MAX_DEPTH or nodes > MAX_OPCODES:
            raise ArrayPickleError(
                f"expected at most {MAX_DEPTH} levels and {MAX_OPCODES:,} values, "
                "found more: the data contain themselves, or repeat too often"
            )
        waiting.extend((child, depth + 1) for child in children)
