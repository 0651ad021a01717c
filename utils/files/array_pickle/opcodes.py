"""The opcodes that the machine has, and names for those that it refuses."""

import pickle

from .arrays import ArrayPickleError
from .machine import MAX_OPCODES


def run(machine):
    """Run the machine's pickle to its STOP.

    Returns
    -------
    object
        The value that the pickle leaves on the stack.

    Raises
    ------
    ArrayPickleError
        At an opcode that is refused. Any other exception may come of a bad pickle.
    """
    for _ in range(MAX_OPCODES):
        opcode = machine.reader.bytes(1)
        if opcode == pickle.STOP:
            return machine.pop()
        if opcode not in _ACTIONS:
            name = _NAMES.get(opcode, ascii(opcode))
            machine.refuse(_REFUSED.get(opcode, f"opcode {name}"))
        _ACTIONS[opcode](machine)
    raise ArrayPickleError(f"expected at most {MAX_OPCODES:,} opcodes, found more")


def _protocol(machine):
    number = machine.reader.number("<B")
    if number > 5:
        machine.refuse(f"pickle protocol {number}")


def _number(layout):
    return lambda m: m.push(m.reader.number(layout))


def _string(layout, decode):
    return lambda m: m.string(layout, decode)


def _tuple(length):
    return lambda m: m.push(tuple(m.pop_many(length)))


def _latin1(raw):
    return raw.decode("latin1")


def _utf8(raw):
    return raw.decode("utf-8", "surrogatepass")


def _integer(raw):
    return int.from_bytes(raw, "little", signed=True)


_ACTIONS = {
    pickle.PROTO: _protocol,
    pickle.FRAME: lambda m: m.reader.bytes(8),
    pickle.MARK: lambda m: m.mark(),
    pickle.POP: lambda m: m.pop(),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: lambda m: m.text_integer(),
    pickle.LONG: lambda m: m.push(int(m.reader.line(256).rstrip(b"L"))),
    pickle.FLOAT: lambda m: m.push(float(m.reader.line(256))),
    pickle.BININT: _number("<i"),
    pickle.BININT1: _number("<B"),
    pickle.BININT2: _number("<H"),
    pickle.BINFLOAT: _number(">d"),
    pickle.LONG1: _string("<B", _integer),
    pickle.STRING: lambda m: m.text_string(),
    pickle.UNICODE: lambda m: m.push(m.reader.line().decode("raw-unicode-escape")),
    pickle.SHORT_BINSTRING: _string("<B", _latin1),
    pickle.BINSTRING: _string("<i", _latin1),
    pickle.SHORT_BINUNICODE: _string("<B", _utf8),
    pickle.BINUNICODE: _string("<I", _utf8),
    pickle.SHORT_BINBYTES: _string("<B", bytes),
    pickle.BINBYTES: _string("<I", bytes),
    pickle.BYTEARRAY8: _string("<Q", bytearray),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: lambda m: m.push(tuple(m.since_mark())),
    pickle.TUPLE1: _tuple(1),
    pickle.TUPLE2: _tuple(2),
    pickle.TUPLE3: _tuple(3),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(m.since_mark()),
    pickle.APPEND: lambda m: m.extend([m.pop()]),
    pickle.APPENDS: lambda m: m.extend(m.since_mark()),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.DICT: lambda m: m.make_dict(),
    pickle.SETITEM: lambda m: m.set_items(m.pop_many(2)),
    pickle.SETITEMS: lambda m: m.set_items(m.since_mark()),
    pickle.PUT: lambda m: m.put(int(m.reader.line(16))),
    pickle.BINPUT: lambda m: m.put(m.reader.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.reader.number("<I")),
    pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
    pickle.GET: lambda m: m.push(m.memo[int(m.reader.line(16))]),
    pickle.BINGET: lambda m: m.push(m.memo[m.reader.number("<B")]),
    pickle.LONG_BINGET: lambda m: m.push(m.memo[m.reader.number("<I")]),
    pickle.GLOBAL: lambda m: m.find(m.reader.name(), m.reader.name()),
    pickle.INST: lambda m: m.refuse(f"{m.reader.name()}.{m.reader.name()}"),
    pickle.STACK_GLOBAL: lambda m: m.stack_global(),
    pickle.REDUCE: lambda m: m.reduce(),
    pickle.NEWOBJ: lambda m: m.new_object(),
    pickle.BUILD: lambda m: m.build(),
}

_NAMES = {getattr(pickle, name): name for name in pickle.__all__ if name.isupper()}
_REFUSED = {
    pickle.PERSID: "a persistent id",
    pickle.BINPERSID: "a persistent id",
    pickle.EXT1: "an object of the extension registry",
    pickle.EXT2: "an object of the extension registry",
    pickle.EXT4: "an object of the extension registry",
    pickle.OBJ: "a call of a class",
    pickle.NEWOBJ_EX: "a call of a class with keywords",
    pickle.NEXT_BUFFER: "a buffer outside the file",
}
