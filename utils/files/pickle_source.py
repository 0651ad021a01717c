"""The bytes of a pickle, read in pieces: memory is taken as they arrive."""

import codecs
import io

from .pickled_arrays import ArrayPickleError

CHUNK = 2**18


class PickleSource:
    """A binary stream of at most `size` bytes; `position` counts those that were read.

    Where it ends too early, an `ArrayPickleError` says where, and what was expected.
    """

    def __init__(self, stream, size):
        self._stream, self.size, self.position = stream, size, 0

    def pieces(self, count):
        """Read bytes, some at a time."""
        if not 0 <= count <= self.size - self.position:
            raise ArrayPickleError(
                f"expected {count} bytes after byte {self.position}, found at most "
                f"{self.size - self.position}: the pickle is cut short or false"
            )
        while count:
            piece = self._stream.read(min(count, CHUNK))
            if not piece:
                raise ArrayPickleError(
                    f"expected {count} bytes more after byte {self.position}, found "
                    "the end: the pickle is cut short"
                )
            self.position += len(piece)
            count -= len(piece)
            yield piece

    def line(self, longest):
        """Read up to a newline, which is left out, some bytes at a time."""
        left = min(longest + 1, self.size - self.position)
        while piece := self._stream.readline(min(left, CHUNK)):
            self.position += len(piece)
            left -= len(piece)
            if piece.endswith(b"\n"):
                yield piece[:-1]
                return
            yield piece
        raise ArrayPickleError(
            f"expected a line of at most {longest} bytes before byte {self.position}, "
            "found no end of it"
        )


def joined(pieces):
    """The bytes of all pieces, made without a copy."""
    data = io.BytesIO()
    for piece in pieces:
        data.write(piece)
    return data.getvalue()


def unquoted(quote, pieces):
    """Undo the escapes of a quoted string of Python 2, read from its first quote on."""
    held = b""
    for piece in pieces:
        held += piece
        # An escape has up to 4 bytes. One that may be cut off waits for its rest,
        # and so does the last byte, which may be the quote.
        last = held.rfind(b"\\", -5) + 1
        run = last - len(held[:last].rstrip(b"\\"))
        end = last - 2 + run % 2 if run else len(held) - 1
        yield codecs.escape_decode(held[:end])[0]
        held = held[end:]
    if held[-1:] != quote or quote not in (b"'", b'"'):
        raise ArrayPickleError("expected a string in quotes")
    yield codecs.escape_decode(held[:-1])[0]
