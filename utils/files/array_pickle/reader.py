"""Read a pickle's bytes, numbers and lines, and no more than the file can hold."""

import struct

import numpy as np

from .arrays import ArrayPickleError

CHUNK = 2**20


class Reader:
    """Counts what it reads from `stream`, which can hold `size` bytes at most."""

    def __init__(self, stream, size):
        self.stream, self.size = stream, size
        self.position = 0

    def _claim(self, count):
        if not 0 <= count <= self.size - self.position:
            raise ArrayPickleError(
                f"expected {count} bytes after byte {self.position}, found "
                f"{self.size - self.position} at most: the pickle is cut short or false"
            )

    def _ended(self):
        return ArrayPickleError(
            f"expected more after byte {self.position}, found the end: "
            "the pickle is cut short"
        )

    def bytes(self, count):
        """The next `count` bytes; memory is taken as they arrive."""
        self._claim(count)
        chunks = []
        while count:
            chunk = self.stream.read(min(count, CHUNK))
            if not chunk:
                raise self._ended()
            chunks.append(chunk)
            count -= len(chunk)
            self.position += len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def array(self, count):
        """The next `count` bytes in an array of uint8 of their own."""
        self._claim(count)
        flat = np.empty(count, np.uint8)
        view = memoryview(flat)
        while len(view):
            received = self.stream.readinto(view[:CHUNK])
            if not received:
                raise self._ended()
            view = view[received:]
            self.position += received
        return flat

    def number(self, layout):
        """The next number, in a format of `struct`."""
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))[0]

    def line(self, longest=None):
        """The bytes up to the next newline, without it; `longest` of them at most."""
        longest = self.size if longest is None else longest
        line = self.stream.readline(min(longest + 1, self.size - self.position))
        self.position += len(line)
        if not line.endswith(b"\n"):
            raise ArrayPickleError(
                f"expected a line of at most {longest} bytes before byte "
                f"{self.position}, found no end of it"
            )
        return line[:-1]

    def name(self):
        """The module or the name in a GLOBAL."""
        return self.line(256).decode("utf-8")
