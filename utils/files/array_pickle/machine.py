"""The part of pickle's stack machine that makes data.

`pickletools` in the standard library documents what each opcode does.
"""

import codecs

from .arrays import (
    GLOBALS,
    ArrayPickleError,
    Known,
    Raw,
    Unbuilt,
    build_array,
    unbuilt_dtype,
)
from .reader import Reader

MAX_OPCODES = 2**18  # bounds the time, and the memory that small objects take
# From this size on, an array's bytes go from the file into the array and nowhere else.
DIRECT_BYTES = 4096


class Machine:
    """Runs one pickle: `stack` holds what follows the last mark, `marks` the rest.

    Parameters
    ----------
    stream : binary stream
    size : int
        The most bytes that `stream` can hold.
    extra : dict
        ``{("module", "name"): cls}``, classes that NEWOBJ may make instances of.
    """

    def __init__(self, stream, size, extra):
        self.reader, self.extra = Reader(stream, size), extra
        self.stack, self.marks, self.memo = [], [], {}
        self.copied = 0

    def refuse(self, what):
        raise ArrayPickleError(
            f"refused {what} before byte {self.reader.position}: only NumPy arrays "
            "and plain data may be in the file"
        )

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        return self.stack.pop()

    def pop_many(self, count):
        return [self.pop() for _ in range(count)][::-1]

    def mark(self):
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self):
        values, self.stack = self.stack, self.marks.pop()
        return values

    def put(self, index):
        # Indices beyond the number of opcodes are no pickler's; chosen well, they
        # would make the memo slow.
        if not 0 <= index < MAX_OPCODES:
            self.refuse(f"memo index {index}")
        value = self.memo[index] = self.stack[-1]
        if isinstance(value, Unbuilt):
            value.memo_indices.append(index)

    def extend(self, values):
        if type(self.stack[-1]) is not list:
            self.refuse("an APPEND to what is no list")
        self.stack[-1].extend(values)

    def set_items(self, values):
        target = self.stack[-1]
        if type(target) is not dict or len(values) % 2:
            self.refuse("a SETITEM on what is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Only the hashes of `str` are salted; other keys can be made to collide.
            if type(key) is not str:
                self.refuse(f"a dict key of type {type(key).__name__}")
            target[key] = value

    def make_dict(self):
        items = self.since_mark()
        self.push({})
        self.set_items(items)

    def string(self, layout, decode):
        count = self.reader.number(layout)
        if count >= DIRECT_BYTES and self._array_expects_bytes():
            self.push(Raw(self.reader.array(count)))
        else:
            self.push(decode(self.reader.bytes(count)))

    def _array_expects_bytes(self):
        if not self.marks or not self.marks[-1]:
            return False
        below = self.marks[-1][-1]
        if isinstance(below, Unbuilt):
            return below.code is None and len(self.stack) == 4
        return below is Known.FROMBUFFER and not self.stack

    def text_string(self):
        line = self.reader.line()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
            self.refuse("a string without quotes")
        self.push(codecs.escape_decode(line[1:-1])[0].decode("latin1"))

    def text_integer(self):
        line = self.reader.line(256)
        # Protocols 0 and 1 write False and True as the integers 00 and 01.
        self.push({b"00": False, b"01": True}[line] if line[:-1] == b"0" else int(line))

    def count_copy(self, data):
        """Refuse what copies more than was read: one string can stand in many arrays.

        A sound pickle's strings are copied twice, when encoded and into their array.
        """
        self.copied += data.flat.size if isinstance(data, Raw) else len(data)
        if self.copied > 2 * self.reader.position:
            self.refuse("more copies of a string than the file has bytes")

    def find(self, module, name):
        if (module, name) in GLOBALS:
            self.push(GLOBALS[module, name])
        elif (module, name) in self.extra:
            self.push(self.extra[module, name])
        else:
            self.refuse(ascii(f"{module}.{name}"[:200])[1:-1])

    def stack_global(self):
        module, name = self.pop_many(2)
        if type(module) is not str or type(name) is not str:
            self.refuse("a global whose name is no string")
        self.find(module, name)

    def reduce(self):
        function, arguments = self.pop_many(2)
        if not isinstance(function, Known) or type(arguments) is not tuple:
            self.refuse(f"a call of {_described(function)}")
        if function is Known.RECONSTRUCT and arguments[0] is Known.NDARRAY:
            self.push(Unbuilt())
        elif function is Known.DTYPE:
            self.push(unbuilt_dtype(arguments[0]))
        elif function is Known.FROMBUFFER:
            self.count_copy(arguments[0])
            self.push(build_array(*arguments))
        elif function is Known.SCALAR:
            dtype, data = arguments
            self.push(build_array(data, dtype, ())[()])
        elif function is Known.ENCODE and arguments[1:] == ("latin1",):
            self.count_copy(arguments[0])
            self.push(arguments[0].encode("latin1"))
        elif function is Known.BYTES and arguments == ():
            self.push(b"")
        else:
            self.refuse(f"a call of {function.name}")

    def new_object(self):
        cls, arguments = self.pop_many(2)
        if cls not in self.extra.values() or arguments != ():
            self.refuse(f"a new object of {_described(cls)}")
        self.push(cls())

    def build(self):
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, Unbuilt):
            if target.code is None:
                self.count_copy(state[-1])
            built = self.stack[-1] = target.build(state)
            for index in target.memo_indices:
                self.memo[index] = built
        elif type(target) in self.extra.values() and type(state) is dict:
            vars(target).update(state)
        else:
            self.refuse(f"a state for {_described(target)}")


def _described(value):
    return value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"
