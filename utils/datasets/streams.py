"""Read a file's bytes, gunzipped where it is gzip, within bounds known beforehand.

Failures are `OSError` or `EOFError`, which `reading.reading` turns into a
`DatasetError` that names the file.
"""

import io
import math
import os
import stat
import zlib

import numpy as np

from utils.errors import DatasetError

# Deflate makes at most this many bytes of one (zlib's technical notes, "Maximum
# compression factor"), so a compressed file's size bounds what it can claim.
DEFLATE_RATIO = 1032
# Beyond what MNIST takes as float64, more than this is a bomb and not images: those
# deflate to a fifth, and their floats to a fiftieth.
PLAUSIBLE_RATIO = 128
ANY_RATIO_BYTES = 2**29
# No more than this is read from one file, whatever it claims: six times the largest
# set of the MNIST family (EMNIST, 814,255 images of 784 bytes).
MAX_BYTES = 4 * 2**30
CHUNK = 2**18
MAX_MEMBERS = 2**16  # in blocks of 64 KB, as bgzip writes them, they hold MAX_BYTES
GZIP_MAGIC = b"\x1f\x8b"


class _Gunzip(io.RawIOBase):
    """The bytes in a gzip file; zlib checks each member's length and CRC-32."""

    def __init__(self, file):
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._members = 1

    def readable(self):
        return True

    def close(self):
        self._file.close()
        super().close()

    def readinto(self, buffer):
        while True:
            if self._inflate.eof and not self._next_member():
                return 0
            compressed = self._inflate.unconsumed_tail or self._file.read(CHUNK)
            try:
                some = self._inflate.decompress(compressed, len(buffer))
            except zlib.error as error:
                raise OSError(f"the gzip data are damaged: {error}") from error
            if some:
                buffer[: len(some)] = some
                return len(some)
            if not compressed and not self._inflate.eof:
                raise OSError("the gzip data are cut short")

    def _next_member(self):
        rest = self._inflate.unused_data.lstrip(b"\0")
        while not rest:
            chunk = self._file.read(CHUNK)
            if not chunk:
                return False
            rest = chunk.lstrip(b"\0")
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise OSError(f"expected at most {MAX_MEMBERS} gzip members, found more")
        self._file.seek(-len(rest), os.SEEK_CUR)
        self._inflate = zlib.decompressobj(31)
        return True


def open_stream(path):
    """Open a file for bounded reading.

    Parameters
    ----------
    path : str

    Returns
    -------
    stream : io.BufferedReader
        The file's bytes, gunzipped where it begins as gzip.
    size : int
        The most bytes that `stream` can give.

    Raises
    ------
    DatasetError
        If it is no regular file (a pipe would block), or is empty.
    OSError
        If it cannot be opened.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError(f"{path}: expected a file, found a device, pipe or socket.")
    if status.st_size == 0:
        raise DatasetError(f"{path}: expected a dataset, found an empty file.")
    file = open(path, "rb")
    head = file.peek(256)[:256]
    if not head.startswith(GZIP_MAGIC):
        if path.endswith(".gz"):
            file.close()
            raise DatasetError(f"{path}: expected gzip data, found {describe(head)}")
        return file, min(status.st_size, MAX_BYTES)
    return io.BufferedReader(_Gunzip(file), CHUNK), inflated_limit(status.st_size)


def inflated_limit(compressed):
    """The most bytes that are taken from so many compressed ones."""
    plausible = max(compressed * PLAUSIBLE_RATIO, ANY_RATIO_BYTES)
    return min(compressed * DEFLATE_RATIO, plausible, MAX_BYTES)


def is_plain(stream):
    """Whether a stream that `open_stream` gave reads its file as it is."""
    return not isinstance(stream.raw, _Gunzip)


def describe(head):
    """Say what the first bytes of a file look like, and what to do about it."""
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "a web page: the download got a page in place of the file. Delete it "
            "and download the file again."
        )
    return f"the bytes {head[:8].hex(' ')}. Check that it is the right file."


def read_array(stream, shape, dtype, left):
    """Read an array's elements in C order.

    Parameters
    ----------
    stream : binary stream with `readinto`
    shape : tuple of int
    dtype : numpy.dtype
    left : int
        The most bytes that `stream` still has; memory is taken only within them.

    Returns
    -------
    numpy.ndarray
        Of its own memory, of the given shape and dtype.

    Raises
    ------
    EOFError
        If the stream has fewer bytes.
    """
    needed = math.prod(shape) * dtype.itemsize
    if needed > left:
        raise EOFError(f"expected {needed} bytes of elements, found at most {left}")
    array = np.empty(math.prod(shape), dtype)
    view = memoryview(array.view(np.uint8))
    while len(view):
        received = stream.readinto(view[:CHUNK])
        if not received:
            raise EOFError(
                f"expected {needed} bytes of elements, found {needed - len(view)}: "
                "the file is cut short"
            )
        view = view[received:]
    return array.reshape(shape)
