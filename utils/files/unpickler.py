"""Python's unpickler, reduced to the opcodes that make data.

`pickle._Unpickler`, which is written in Python, reads opcode by opcode. It imports and
calls only what its `find_class` gives it: here the functions of `pickled_arrays`, which
stand in for those of NumPy. The unpickler written in C would believe the lengths and
memo indices that a file claims. The standard library's `pickletools` documents each
opcode.
"""

import codecs
import pickle
import struct

import numpy as np

from . import pickled_arrays
from .pickle_source import PickleSource, joined, unquoted
from .pickled_arrays import ArrayPickleError

MAX_OPCODES = 2**18  # bounds the time, and the memory that small objects take
MAX_LINE_BYTES = 256  # of a number or a name
MAX_TEXT_BYTES = 2**20  # of all text together, which takes up to four times as many

_ALLOWED = """
    PROTO MARK POP NONE NEWTRUE NEWFALSE INT LONG FLOAT BININT BININT1 BININT2 BINFLOAT
    LONG1 SHORT_BINSTRING SHORT_BINUNICODE SHORT_BINBYTES BINBYTES EMPTY_TUPLE TUPLE
    TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST EMPTY_DICT PUT BINPUT LONG_BINPUT MEMOIZE GET
    BINGET LONG_BINGET GLOBAL STACK_GLOBAL
""".split()
_GLOBALS = {
    ("numpy", "ndarray"): pickled_arrays.NDARRAY,
    ("numpy", "dtype"): pickled_arrays.make_dtype,
    ("numpy._core.multiarray", "_reconstruct"): pickled_arrays.reconstruct,
    ("numpy._core.multiarray", "scalar"): pickled_arrays.scalar,
    ("numpy._core.numeric", "_frombuffer"): pickled_arrays.frombuffer,
    # Protocols 0 to 2 have no bytes: Python 3 writes calls that make them.
    ("_codecs", "encode"): pickled_arrays.encode,
    ("__builtin__", "bytes"): lambda: b"",
}
# Looked up here, because that imports modules.
_LATIN1, _UTF8, _ESCAPED = map(
    codecs.getincrementaldecoder, ("latin1", "utf-8", "raw-unicode-escape")
)
_NAMES = {getattr(pickle, name): name for name in pickle.__all__ if name.isupper()}


class _Memo(dict):
    """The values that a pickle uses again, by small numbers.

    No pickler counts beyond the number of opcodes; chosen well, larger numbers would
    make a dict slow.
    """

    def __setitem__(self, index, value):
        if not 0 <= index < MAX_OPCODES:
            raise ArrayPickleError(f"refused the memo index {index}")
        super().__setitem__(index, value)


class ArrayUnpickler(pickle._Unpickler):
    """Reads one pickle; see `array_pickle.load`. `position` counts the bytes read."""

    dispatch = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _ALLOWED
    }

    def __init__(self, stream, size, extra):
        super().__init__(stream, encoding="latin1")
        self._copied = self._text = 0
        self._unbuilt = {}  # by their id: the arrays that wait for their state
        self.memo = _Memo()
        self.metastack, self.stack = [], []
        self.append = self.stack.append
        self._source, self._extra = PickleSource(stream, size), extra

    @property
    def position(self):
        return self._source.position

    def load(self):
        """Run the pickle to its end, and return the value that it leaves."""
        for _ in range(MAX_OPCODES):
            opcode = self.read(1)
            if opcode == pickle.STOP:
                if self._unbuilt:
                    self.refuse("an unfinished array")
                return self.stack.pop()
            if opcode[0] not in self.dispatch:
                self.refuse(f"opcode {_NAMES.get(opcode, ascii(opcode))}")
            self.dispatch[opcode[0]](self)
        raise ArrayPickleError(f"expected at most {MAX_OPCODES:,} opcodes, found more")

    def refuse(self, what):
        raise ArrayPickleError(
            f"refused {what} before byte {self.position}: only NumPy arrays and plain "
            "data may be in the file"
        )

    def read(self, count):
        """Read bytes; memory is taken as they arrive."""
        return joined(self._source.pieces(count))

    def readline(self):
        """Read up to a newline, and that too."""
        return joined(self._source.line(MAX_LINE_BYTES)) + b"\n"

    def find_class(self, module, name):
        """Return what stands for a global of the pickle; nothing is imported."""
        # NumPy 2 renamed `numpy.core`; files of both ages are about.
        key = module.replace("numpy.core.", "numpy._core."), name
        known = _GLOBALS | self._extra
        if key not in known:
            self.refuse(ascii(f"{module}.{name}"[:200])[1:-1])
        return known[key]

    def _count_copy(self, data):
        """Refuse to copy more than was read: one string can stand in many arrays.

        The strings of a sound pickle are copied twice, when encoded and into an array.
        """
        self._copied += len(data)
        if self._copied > 2 * self.position:
            self.refuse("more copies of a string than the file has bytes")

    # Opcodes that check more than the inherited ones, or take less memory.

    def _awaits_elements(self):
        """Return True where a string is the elements of an array, and is not text.

        Python 2 wrote them into the array's state; Python 3 writes, in protocols 0 to
        2, a call that makes them of text.
        """
        below = self.metastack[-1] if self.metastack else []
        if len(self.stack) == 4 and any(id(v) in self._unbuilt for v in below[-1:]):
            return True
        top = (self.stack or below)[-1:]
        return any(value is pickled_arrays.encode for value in top)

    def _load_text(self, pieces, decoder):
        """Take a string: elements of an array as bytes, whatever else as `str`.

        Nothing but elements is long in a sound pickle.
        """
        is_elements = self._awaits_elements()
        decoded = self._decoded(pieces, decoder, counted=not is_elements)
        if is_elements:
            elements = joined(text.encode("latin1") for text in decoded)
            # Python has one object for each character, which may be text elsewhere.
            short = len(elements) <= 1
            self.append(elements.decode("latin1") if short else elements)
        else:
            self.append("".join(decoded))

    def _decoded(self, pieces, decoder, counted):
        for piece in pieces:
            self._text += len(piece) * counted
            if self._text > MAX_TEXT_BYTES:
                self.refuse(f"more than {MAX_TEXT_BYTES:,} bytes of text")
            yield decoder.decode(piece)
        yield decoder.decode(b"", True)

    def _load_sized(self, layout, decoder):
        (count,) = struct.unpack(layout, self.read(4))
        self._load_text(self._source.pieces(count), decoder)

    def _extend(self, values):
        if type(self.stack[-1]) is not list:
            self.refuse("an APPEND to what is no list")
        self.stack[-1].extend(values)

    def _set_items(self, values):
        target = self.stack[-1]
        if type(target) is not dict:
            self.refuse("a SETITEM on what is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Only the hashes of `str` are salted; other keys can be made to collide.
            if type(key) is not str:
                self.refuse(f"a dict key of type {type(key).__name__}")
            target[key] = value

    def _load_dict(self):
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def _load_reduce(self):
        function, arguments = self.stack[-2:]
        for argument in arguments:
            if type(argument) in (bytes, str):
                self._count_copy(argument)
        self.load_reduce()
        if function is pickled_arrays.reconstruct:
            self._unbuilt[id(self.stack[-1])] = self.stack[-1]

    def _load_build(self):
        state, target = self.stack.pop(), self.stack[-1]
        if self._unbuilt.pop(id(target), None) is not None:
            self._count_copy(state[-1])
            pickled_arrays.set_array_state(target, state)
        elif isinstance(target, np.dtype):
            pickled_arrays.set_dtype_state(target, state)
        elif type(target) in self._extra.values() and type(state) is dict:
            vars(target).update(state)
        else:
            self.refuse(f"a state for a {type(target).__name__}")

    def _load_newobj(self):
        arguments, cls = self.stack.pop(), self.stack.pop()
        if cls not in self._extra.values() or arguments != ():
            self.refuse("a new object of another class")
        self.append(cls())

    dispatch |= {
        pickle.FRAME[0]: lambda self: self.read(8),  # a length, which nothing needs
        pickle.STRING[0]: lambda self: self._load_text(
            unquoted(self.read(1), self._source.line(self._source.size)), _LATIN1()
        ),
        pickle.BINSTRING[0]: lambda self: self._load_sized("<i", _LATIN1()),
        pickle.UNICODE[0]: lambda self: self._load_text(
            self._source.line(self._source.size), _ESCAPED()
        ),
        pickle.BINUNICODE[0]: lambda self: self._load_sized(
            "<I", _UTF8("surrogatepass")
        ),
        pickle.BYTEARRAY8[0]: pickle._Unpickler.load_binbytes8,  # as bytes
        pickle.APPEND[0]: lambda self: self._extend([self.stack.pop()]),
        pickle.APPENDS[0]: lambda self: self._extend(self.pop_mark()),
        pickle.DICT[0]: _load_dict,
        pickle.SETITEM[0]: lambda self: self._set_items(
            [self.stack.pop(-2), self.stack.pop()]
        ),
        pickle.SETITEMS[0]: lambda self: self._set_items(self.pop_mark()),
        pickle.REDUCE[0]: _load_reduce,
        pickle.NEWOBJ[0]: _load_newobj,
        pickle.BUILD[0]: _load_build,
    }
