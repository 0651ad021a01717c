"""Pickles that would run code, or take a machine's memory or time.

What runs code makes a file ``executed`` in the current folder.
"""

import os
import pickle
import struct

import numpy as np

CODE = "open('executed', 'w').close()"
COMMAND = "echo > executed"


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def called(function, *arguments):
    return pickle.dumps(Call(function, *arguments))


def named(name, *arguments):
    """The pickle of a call of what need not be there, and the name that is refused."""
    packed = pickle.dumps(arguments, 2)[2:-1]
    module, _, function = name.rpartition(".")
    return f"\x80\x02c{module}\n{function}\n".encode("latin1") + packed + b"R.", name


def size(layout, number):
    return struct.pack(layout, number)


EVAL = Call(eval, CODE)
# What may be called is a short list: here is one name of each kind that is not on it.
CALLS = {
    "system": (called(os.system, COMMAND), f"{os.system.__module__}.system"),
    "exec_protocol_2": (pickle.dumps(Call(exec, CODE), 2), "__builtin__.exec"),
    "nested": (pickle.dumps({"x": [np.ones(3), (EVAL,)]}), "builtins.eval"),
    "argument_of_array": (called(np.ndarray, EVAL), "builtins.eval"),
    "result_of_call": (called(exec, Call(compile, CODE, "x", "exec")), "builtins.exec"),
    "text_protocol": (f"cos\nsystem\n(V{COMMAND}\ntR.".encode(), "os.system"),
    "inst": (f"(V{COMMAND}\nios\nsystem\n.".encode(), "opcode INST"),
    "obj": (f"(cos\nsystem\nV{COMMAND}\no.".encode(), "os.system"),
    "numpy_load": named("numpy.load", "executed"),
    "numpy_memmap": named("numpy.memmap", "executed", "uint8", "w+", 0, (4,)),
    "numpy_core": named("numpy.core.multiarray.fromfile", "executed"),
    "loads": named("pickle.loads", "executed"),
    "script": named("logistic_sgd.predict", "executed"),
}

# An array that waits for its state.
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
DTYPE = b"cnumpy\ndtype\nU\x02%s\x89\x88\x87R(K\x03U\x01|NNNK\x00K\x00K\x00tb"
FLOAT64 = DTYPE % b"f8"
MODEL = b"\x80\x02clogistic_sgd\nLogisticRegression\n"


def array_of(shape):
    return b"\x80\x02" + ARRAY + b"(K\x01" + shape + FLOAT64 + b"\x89U\x00tb."


def of_levels(width, levels):
    value = ()
    for _ in range(levels):
        value = (value,) * width
    return pickle.dumps(value)


CYCLE = []
CYCLE.append(CYCLE)


def long(number):
    return b"\x8a\x08" + size("<q", number)


MILLION = b"\x80\x02B" + size("<I", 2**20) + bytes(2**20) + b"q\x010"
COPIES = (
    MILLION
    + (DTYPE % b"u1" + b"q\x020(")
    + (ARRAY + b"(K\x01J" + size("<i", 2**20) + b"\x85h\x02\x89h\x01tb") * 2000
    + b"t."
)
ENCODED = (
    b"\x80\x02X" + size("<I", 2**19) + b"a" * 2**19 + b"q\x00("
    b"" + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * 2000 + b"t."
)
DATA = {
    "persistent_id": (b"\x80\x02U\x01xQ.", "opcode BINPERSID"),
    "extension": (b"\x80\x02\x82\x4d.", "opcode EXT1"),
    "object_array": (pickle.dumps(np.array([None])), "dtype 'O8'"),
    "record_array": (pickle.dumps(np.zeros(2, "f4,i4")), "dtype 'V8'"),
    "text_array": (pickle.dumps(np.array(["a"])), "dtype 'U1'"),
    "other_codec": (named("_codecs.encode", "x", "zlib")[0], "the codec 'zlib'"),
    "dotted_name": (
        b"\x80\x04\x8c\x0clogistic_sgd\x8c\x1bLogisticRegression.__init__\x93.",
        "refused logistic_sgd.LogisticRegression.__init__ ",
    ),
    "build_slots": (
        MODEL + b")\x81N}U\x01WK\x01s\x86b.",
        "LogisticRegression|a state for",
    ),
    "build_class": (MODEL + b"}U\x01WK\x01sb.", "LogisticRegression|a state for"),
    "call_of_class": (MODEL + b")R.", "LogisticRegression|a call of"),
    "build_on_none": (b"\x80\x02N}b.", "a state for a NoneType"),
    "build_on_array": (pickle.dumps(np.ones(2), 2)[:-1] + b"}b.", "ndarray"),
    "call_of_string": (b"\x80\x02U\x01x)R.", "'str' object is not callable"),
    "new_array": (b"\x80\x02cnumpy\nndarray\n)\x81.", "new object of another class"),
    "new_object_with_keywords": (b"\x80\x04N)}\x92.", "opcode NEWOBJ_EX"),
    "lone_function": (b"\x80\x02cnumpy\nndarray\n.", "plain data"),
    "unfinished_array": (b"\x80\x02" + ARRAY + b".", "unfinished"),
    "append_to_tuple": (b"\x80\x02)Na.", "no list"),
    "item_of_list": (b"\x80\x02]U\x01aNs.", "no dict"),
    "integer_keys": (pickle.dumps({1: 2}), "dict key of type int"),
    "protocol_9": (b"\x80\x09N.", "protocol: 9"),
    "trailing_bytes": (pickle.dumps(1) + b"x", "more bytes"),
    "empty_stack": (b"\x80\x02.", "sound pickle"),
    "text": (b"hello world", "sound pickle"),
    "petabyte": (array_of(long(2**47) + b"\x85"), "expected 1125899906842624 bytes"),
    "many_dimensions": (array_of(b"(" + long(2**62) * 20_000 + b"t"), "found 20000"),
    "no_elements_of_many": (
        array_of(b"K\x00" + long(2**62) * 2 + b"\x87"),
        "impossible lengths",
    ),
    "huge_bytearray": (b"\x80\x05\x96" + size("<Q", 2**50) + b"x.", "at most"),
    "huge_integer": (b"\x80\x02\x8b\xff\xff\xff\x7fx.", "opcode LONG4"),
    "huge_string": (b"\x80\x02X\xff\xff\xff\xffx.", "at most"),
    "negative_string": (b"\x80\x02T\xff\xff\xff\xffx.", "found"),
    "long_digits": (b"L" + b"9" * 10_000 + b"L\n.", "a line of at most 256"),
    "memo_bomb": (b"\x80\x02Nr\xff\xff\xff\xff.", "memo index"),
    "billion_laughs": (of_levels(2, 200), "64 levels"),
    "wide_laughs": (of_levels(5000, 4), "262,144 values"),
    "cycle": (pickle.dumps(CYCLE), "themselves"),
    "deep_tuples": (b"\x80\x02" + b"(" * 50_000 + b"t" * 50_000 + b".", "64 levels"),
    "deep_lists": (b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".", "64 levels"),
    "many_opcodes": (b"\x80\x02" + b"N0" * 140_000 + b"N.", "opcodes"),
    "one_string_in_many_arrays": (COPIES, "copies of a string"),
    "one_string_encoded_often": (ENCODED, "copies of a string"),
    "record_by_byte_order": (
        array_of(b"K\x00\x85").replace(b"U\x01|", b"U\x03i4,"),
        "array of records",
    ),
}
HOSTILE = CALLS | DATA
