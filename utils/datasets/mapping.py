"""Bytes of a file as an array, mapped into memory instead of read."""

import math
import os
import threading

import numpy as np
from numpy.typing import NDArray

_LEAST = 2**26  # of fewer bytes the pages cost less than a thread


def map_bytes(file, shape):
    """Map the rest of a file into memory, where its bytes are read when looked at.

    They are then in the system's file cache, not in the process's own memory. A file
    that is cut short meanwhile ends the process; one that is replaced does no harm.

    From where `file` stands, it has to hold just the bytes of `shape`, not compressed.
    Returns an array of uint8 in C order, not writeable.
    """
    offset, needed = file.tell(), math.prod(shape)
    left = os.fstat(file.fileno()).st_size - offset
    if needed > left:
        raise EOFError(f"expected {needed} bytes of elements, found {left}")
    if needed < left:
        raise ValueError(f"expected {needed} bytes of elements, found more bytes")
    if needed == 0:
        return np.empty(shape, np.uint8)
    return np.asarray(np.memmap(file, np.uint8, "r", offset, shape))


def read_ahead(array: NDArray) -> threading.Thread | None:
    """Start a thread that brings a mapped array's pages in before training needs them.

    Otherwise each stops training for a moment when it is touched for the first time.
    Nothing is done, and None returned, for an array that would fill half of the memory,
    or that is not mapped. The thread ends with the process, or when it is done.
    """
    is_mapped = array.dtype == np.uint8 and not array.flags.writeable
    if not is_mapped or array.nbytes < _LEAST or not hasattr(os, "sysconf"):
        return None
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    if array.nbytes > pages * page / 2:
        return None
    # A byte of each page is looked at; NumPy lets other threads run meanwhile.
    look = array.reshape(-1)[::page].max
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    return thread
