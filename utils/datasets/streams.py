"""Read a file's bytes, inflated if it is gzip, within bounds known beforehand.

Failures are `OSError` or `EOFError`, which `reading` turns into a `DatasetError` that
names the file.
"""

import contextlib
import io
import re
import zlib

from utils.errors import DatasetError
from utils.files.regular_file import open_regular, plausible_bytes, stored_bytes

# Deflate makes at most this many bytes of one (zlib's technical notes, "Maximum
# compression factor"), so a compressed file's size bounds what it can claim.
DEFLATE_RATIO = 1032
CHUNK = 2**18
MAX_MEMBERS = 2**16  # in blocks of 64 KB, as bgzip writes them, they hold 4 GiB
MAX_PADDING = 2**20  # zeros after members, as tapes have them
GZIP_MAGIC = b"\x1f\x8b"
LONGEST_REASON = 300
# Text whose first line holds columns, or nothing but numbers; \x80 begins a pickle.
_COLUMNS = re.compile(rb"(?!\x80)[^\r\n]*[,;\t]|[-+.\d][-+.\deE ]*(?:[\r\n]|\Z)")
_BINARY = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")


@contextlib.contextmanager
def reading(path):
    """Turn whatever fails in the block into a `DatasetError` that names `path`."""
    try:
        yield
    except DatasetError:
        raise
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: expected a dataset, found no such file or folder. Check the "
            "path, or name digits or mnist.pkl.gz."
        ) from error
    except PermissionError as error:
        raise DatasetError(
            f"{path}: expected a dataset, found no permission to read it. Change its "
            "permissions or copy it."
        ) from error
    except MemoryError as error:
        raise DatasetError(
            f"{path}: more memory is needed than this machine has free. Use a smaller "
            "dataset."
        ) from error
    # A broken or hostile file can fail in zlib, zipfile or NumPy in many ways.
    except Exception as error:
        # zipfile's messages quote the file, kilobytes of it.
        reason = str(error)[:LONGEST_REASON] or type(error).__name__
        advice = "It may be cut short or damaged: get the file again."
        if getattr(error, "errno", None):  # of the system, not of this module
            reason, advice = error.strerror, "Check the path, or take another file."
        raise DatasetError(
            f"{path}: cannot be read as a dataset ({reason}). {advice}"
        ) from error


class _Gunzip(io.RawIOBase):
    """The bytes in a gzip file; zlib checks each member's length and CRC-32.

    `gzip.GzipFile` reads padding byte by byte, and empty members, without an end.
    """

    def __init__(self, file):
        self._file = file
        self._compressed = b""  # read from the file, and not inflated yet
        self._inflate = zlib.decompressobj(31)
        self._members, self._padding = 1, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        while True:
            compressed = self._compressed or self._file.read(CHUNK)
            if self._inflate.eof:
                self._compressed = compressed.lstrip(b"\0")
                self._padding += len(compressed) - len(self._compressed)
                if self._padding > MAX_PADDING:
                    raise OSError(
                        f"expected at most {MAX_PADDING} zeros after gzip data, found "
                        "more"
                    )
                if self._compressed:
                    self._begin_member()
                elif not compressed:
                    return 0
                continue
            try:
                some = self._inflate.decompress(compressed, len(buffer))
            except zlib.error as error:
                raise OSError(f"the gzip data are damaged: {error}") from error
            self._compressed = (
                self._inflate.unconsumed_tail or self._inflate.unused_data
            )
            if some:
                buffer[: len(some)] = some
                return len(some)
            if not compressed and not self._inflate.eof:
                raise OSError("the gzip data are cut short")

    def _begin_member(self):
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise OSError(f"expected at most {MAX_MEMBERS} gzip members, found more")
        self._inflate = zlib.decompressobj(31)


@contextlib.contextmanager
def open_stream(path):
    """Open a file for bounded reading in the block, of which `reading` takes care.

    Yields
    ------
    stream : io.BufferedReader
        The file's bytes, inflated if it begins as gzip.
    size : int
        The most bytes that `stream` can give.
    """
    with reading(path):
        file, size = open_regular(path)
        with file:
            if size == 0:
                raise DatasetError(f"{path}: expected a dataset, found an empty file.")
            head = file.peek(256)[:256]
            if head.startswith(GZIP_MAGIC):
                limit = inflated_limit(stored_bytes(file))
                yield io.BufferedReader(_Gunzip(file), CHUNK), limit
            elif path.endswith(".gz"):
                raise DatasetError(
                    f"{path}: expected gzip data, found {describe(head)}"
                )
            else:
                yield file, size


def inflated_limit(compressed):
    """Return the most bytes that are read from `compressed` bytes of deflated data."""
    return min(compressed * DEFLATE_RATIO, plausible_bytes(compressed))


def is_plain(stream):
    """Return True if a stream of `open_stream` gives its file's bytes as they are."""
    return not isinstance(stream.raw, _Gunzip)


def recognise(head):
    """Say what is known to be no dataset by its first bytes, and what to do; or None.

    A pickle of protocol 0 is text as well, but its first line has no columns.
    """
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "a web page: the download got a page instead of the file. Delete it and "
            "download the file again."
        )
    if _COLUMNS.match(head) and not _BINARY.search(head):
        return (
            "text in columns, such as a CSV file. Load it and hand its arrays over: "
            'data = numpy.loadtxt(path, delimiter=",", skiprows=1, dtype=int) for one '
            "with a header, then sgd_optimization_mnist(dataset=(data[:, 1:], "
            "data[:, 0])) where the labels are in the first column."
        )
    return None


def describe(head):
    """Say what the first bytes of a file look like, and what to do about it."""
    unknown = f"the bytes {head[:8].hex(' ')}. Check that it is the right file."
    return recognise(head) or unknown
