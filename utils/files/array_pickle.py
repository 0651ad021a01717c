"""Read pickles that hold plain data and NumPy arrays, without running them.

A pickle is a program for a small stack machine, and `pickle.load` runs whatever
program a file contains: it calls functions, and takes memory on the file's word. Here
the program gets only those parts of the machine that make data (`unpickler`).
"""

import io

import numpy as np

from .pickled_arrays import ArrayPickleError
from .unpickler import MAX_OPCODES, ArrayUnpickler

MAX_DEPTH = 64
_PLAIN_TYPES = {str, bytes, int, float, bool, type(None), np.ndarray}


def load(source, extra=None, size=None):
    """Read one pickle of plain data and numeric NumPy arrays, of protocol 0 to 5.

    Parameters
    ----------
    source : bytes-like, or binary stream with `read` and `readline`
        The pickle. Nothing may follow it.
    extra : dict, optional
        ``{("module", "name"): cls}``: classes of the caller's that stand for these
        globals. An instance is made without arguments, and the state in the file, a
        dict with `str` keys, is added to its ``__dict__``. Default: none.
    size : int, optional
        The most bytes that `source` can give; needed for a stream. A pickle that claims
        more is refused before memory is taken.

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
    stream = source if hasattr(source, "read") else io.BytesIO(source)
    size = len(source) if size is None else size
    extra = extra or {}
    unpickler = ArrayUnpickler(stream, size, extra)
    try:
        result = unpickler.load()
        _check_tree(result, set(extra.values()))
    except (ArrayPickleError, OSError, MemoryError):
        raise
    # A hostile stream can fail at any opcode in any way; all of it is one error.
    except Exception as error:
        raise ArrayPickleError(
            f"expected a sound pickle, found a mistake before byte "
            f"{unpickler.position} ({type(error).__name__}: {str(error)[:100]})"
        ) from error
    if stream.read(1):
        raise ArrayPickleError(
            f"expected the end at byte {unpickler.position}, where the pickle stops, "
            "found more bytes"
        )
    return result


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
                "expected plain data and arrays, found a function or class that "
                "nothing uses"
            )
        nodes += len(children)
        if depth >= MAX_DEPTH or nodes > MAX_OPCODES:
            raise ArrayPickleError(
                f"expected at most {MAX_DEPTH} levels and {MAX_OPCODES:,} values, "
                "found more: the data contain themselves, or repeat too often"
            )
        waiting.extend((child, depth + 1) for child in children)
