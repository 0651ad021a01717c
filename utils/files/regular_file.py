"""Open a file whose path a stranger may have chosen."""

import contextlib
import errno
import os
import stat
import zipfile
from typing import BinaryIO

# The most that is read from one file, whatever it claims: six times the largest set of
# the MNIST family (EMNIST, 814,255 images of 784 bytes).
MAX_BYTES = 2**32
# Beyond what MNIST takes as float64, a higher ratio is a bomb and not images: those
# deflate to a fifth, and their floats to a fiftieth.
PLAUSIBLE_RATIO = 128
ANY_RATIO_BYTES = 2**29


def open_regular(path: str | os.PathLike) -> tuple[BinaryIO, int]:
    """Open a regular file for reading bytes.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    file : binary file
    size : int
        The most bytes to read: those it has, or of a file with holes or of more than
        `MAX_BYTES` as many as `plausible_bytes` allows.

    Raises
    ------
    OSError
        If it cannot be opened, or is a device or a pipe, which may never end.
    """
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "it is a device, pipe or socket")
    file = open(path, "rb")
    return file, min(status.st_size, plausible_bytes(stored_bytes(file)))


@contextlib.contextmanager
def open_zip(path):
    """Open a regular file as a `zipfile.ZipFile`, and close both after the block.

    Yields the archive, and the size of `open_regular`. A file of more bytes is refused
    by an `OSError`: zipfile would read a directory of any length.
    """
    file, size = open_regular(path)
    with file:
        if file.seek(0, os.SEEK_END) > size:
            raise OSError(errno.EFBIG, f"it is larger than {size} bytes")
        with zipfile.ZipFile(file) as archive:
            yield archive, size


def stored_bytes(file):
    """Bytes that an open file takes on the disk, at most those that it has."""
    status = os.fstat(file.fileno())
    blocks = getattr(status, "st_blocks", 0)  # of 512 bytes; Windows has none
    # 0 and 1 are those of a file that is not on the disk yet, or is in its directory.
    return min(status.st_size, blocks * 512) if blocks > 1 else status.st_size


def plausible_bytes(stored):
    """The most bytes that are read from `stored` ones: compressed, or with holes."""
    return min(max(stored * PLAUSIBLE_RATIO, ANY_RATIO_BYTES), MAX_BYTES)
