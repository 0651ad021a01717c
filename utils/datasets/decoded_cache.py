"""Keep decoded datasets in the user's cache, where inflating them again is slow.

An entry is a folder of six .npy arrays and an ``entry.json``, under ``decoded`` in
the user's cache. It counts only for a source of the same path, size and times, only
where each array's CRC-32 is right, and can be deleted at any time. Whatever goes wrong
here means that the source is decoded again, never more.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib

import numpy as np

from utils.errors import DatasetError

from . import user_cache
from .npy import read_npy
from .splits import check, whole_256ths
from .streams import GZIP_MAGIC

VERSION = 1
MIN_SOURCE_BYTES = 2**20  # below this, decoding takes milliseconds
MAX_ENTRY_BYTES = 2**29
MAX_ENTRIES = 4
_STALE_SECONDS = 3600  # a temporary folder of this age was left by a killed run


def key(paths):
    """What tells one state of a dataset's files from another.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    str or None
        None where keeping them decoded does not pay: they are small, or not
        compressed, or not there.
    """
    try:
        states = [os.stat(path) for path in paths]
        if sum(state.st_size for state in states) < MIN_SOURCE_BYTES:
            return None
        if not any(_is_compressed(path) for path in paths):
            return None
    except OSError:
        return None
    return json.dumps(
        [VERSION]
        + [
            [
                os.path.realpath(path),
                state.st_size,
                state.st_mtime_ns,
                state.st_ctime_ns,
                state.st_ino,
            ]
            for path, state in zip(paths, states, strict=True)
        ]
    )


def _is_compressed(path):
    with open(path, "rb") as file:
        head = file.read(10)
    # A zip's first member is stored as it is where its method, bytes 8 and 9, is 0.
    return head[:2] == GZIP_MAGIC or (head[:2] == b"PK" and head[8:10] != b"\0\0")


def _entry(key):
    root = user_cache.folder()
    if root is None:
        return None
    name = hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    return os.path.join(root, "decoded", name)


def load(key):
    """Read an entry.

    Parameters
    ----------
    key : str

    Returns
    -------
    list of three (x, y) pairs, or None
        As `splits.check` gives them; None where there is no sound entry.
    """
    entry = _entry(key)
    if entry is None or not os.path.isdir(entry):
        return None
    try:
        with open(os.path.join(entry, "entry.json"), encoding="utf-8") as file:
            description = json.loads(file.read(2**16))
        if description["key"] != key:
            raise DatasetError(f"{entry}: expected the key {key}, found another")
        arrays = [
            _read(os.path.join(entry, f"{index}.npy"), checksum)
            for index, checksum in enumerate(description["crc32"])
        ]
        splits = check(zip(arrays[::2], arrays[1::2], strict=True), entry)
        with contextlib.suppress(OSError):
            os.utime(entry)  # the entries used last are the ones kept
        return splits
    except (OSError, ValueError, EOFError, LookupError, TypeError, RecursionError):
        shutil.rmtree(entry, ignore_errors=True)
        return None


def _read(path, checksum):
    with open(path, "rb") as file:
        array = read_npy(file, os.fstat(file.fileno()).st_size, path)
    if zlib.crc32(array) != checksum:
        raise DatasetError(f"{path}: the checksum is wrong")
    return array


def store(key, splits):
    """Write an entry, bytes where the pixels are whole 256ths, or skip it silently.

    Parameters
    ----------
    key : str
    splits : list of three (x, y) pairs
        As `splits.check` gives them.
    """
    entry = _entry(key)
    if entry is None:
        return
    arrays = [array for x, y in splits for array in (whole_256ths(x), y)]
    if sum(array.nbytes for array in arrays) > MAX_ENTRY_BYTES:
        return
    parent, temporary = os.path.dirname(entry), None
    try:
        os.makedirs(parent, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix="tmp-", dir=parent)
        for index, array in enumerate(arrays):
            np.save(os.path.join(temporary, f"{index}.npy"), array, allow_pickle=False)
        description = {"key": key, "crc32": [zlib.crc32(array) for array in arrays]}
        with open(os.path.join(temporary, "entry.json"), "w", encoding="utf-8") as file:
            json.dump(description, file)
        # Fails where another process was first, whose entry is as good.
        os.rename(temporary, entry)
        _prune(parent)
    except OSError:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _prune(parent):
    now = time.time()
    entries = []
    for item in os.scandir(parent):
        with contextlib.suppress(OSError):
            modified = item.stat().st_mtime
            if not item.name.startswith("tmp-"):
                entries.append((modified, item.path))
            elif now - modified > _STALE_SECONDS:
                shutil.rmtree(item.path, ignore_errors=True)
    for _, path in sorted(entries, reverse=True)[MAX_ENTRIES:]:
        shutil.rmtree(path, ignore_errors=True)
