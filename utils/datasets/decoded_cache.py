"""Keep decoded datasets in the user's cache, because inflating them again is slow.

An entry is a stored .npz, under ``decoded`` in the user's cache. Its name is a digest
of the source's path, size and times, and its zip has a CRC-32 of each array. It can be
deleted at any time: whatever goes wrong here, the source is decoded again.
"""

import contextlib
import hashlib
import io
import os

import numpy as np

from utils.files import write_atomic

from . import user_cache
from .splits import check, whole_256ths
from .streams import GZIP_MAGIC

VERSION = 2
MIN_SOURCE_BYTES = 2**20  # below this, decoding takes milliseconds
MAX_ENTRY_BYTES = 2**29
MAX_ENTRIES = 4


def entry(paths):
    """Path of the entry of a dataset's files in the state that they have now.

    It need not exist. None where there is no folder for it, or nothing to gain: the
    files are small, or not compressed, or missing.
    """
    root = user_cache.folder()
    try:
        states = [os.stat(path) for path in paths]
        large = sum(state.st_size for state in states) >= MIN_SOURCE_BYTES
        if root is None or not large or not any(map(_is_compressed, paths)):
            return None
    except OSError:
        return None
    key = [
        (os.path.realpath(path), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
        for path, s in zip(paths, states, strict=True)
    ]
    digest = hashlib.sha256(repr((VERSION, key)).encode()).hexdigest()
    return os.path.join(root, "decoded", f"{digest[:32]}.npz")


def _is_compressed(path):
    with open(path, "rb") as file:
        head = file.read(10)
    # A zip's first member is stored as it is where its method, bytes 8 and 9, is 0.
    return head[:2] == GZIP_MAGIC or (head[:2] == b"PK" and head[8:10] != b"\0\0")


def load(entry):
    """Read an entry: splits as `splits.check` gives them; None if it is not sound."""
    # A damaged file can fail in zipfile or NumPy in many ways.
    with contextlib.suppress(Exception), np.load(entry) as archive:
        arrays = [*archive.values()]
        splits = check(zip(arrays[::2], arrays[1::2], strict=True), entry)
        with contextlib.suppress(OSError):
            os.utime(entry)  # the entries used last are the ones kept
        return splits
    return None


def store(entry, splits):
    """Write an entry, bytes where the pixels are whole 256ths, or skip it silently."""
    arrays = [array for x, y in splits for array in (whole_256ths(x), y)]
    if sum(array.nbytes for array in arrays) > MAX_ENTRY_BYTES:
        return
    content = io.BytesIO()
    with contextlib.suppress(OSError, MemoryError):
        np.savez(content, *arrays)
        os.makedirs(os.path.dirname(entry), exist_ok=True)
        write_atomic(entry, content.getvalue())
        _prune(os.path.dirname(entry))


def _prune(folder):
    """Remove all but the newest files, those that killed writers left included."""
    paths = [item.path for item in os.scandir(folder) if item.is_file()]
    for path in sorted(paths, key=os.path.getmtime)[:-MAX_ENTRIES]:
        os.unlink(path)
