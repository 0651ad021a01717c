import builtins
import copyreg
import io
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import array_pickle
from utils.array_pickle import ArrayPickleError

ARRAYS = {
    "float32": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "big_endian": np.arange(5, dtype=">i4"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 4)),
    "no_dimensions": np.array(3),
    "one_byte": np.array([7], np.uint8),
    "large": np.arange(5000, dtype=np.int64),
    "large_big_endian": np.arange(5000, dtype=">f8"),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_load_array(array, protocol):
    loaded = array_pickle.load(pickle.dumps((array, {"again": array}), protocol))
    np.testing.assert_array_equal(loaded[0], array)
    assert loaded[0].dtype == array.dtype.newbyteorder("=")
    assert loaded[1]["again"] is loaded[0]
    assert loaded[0].flags.writeable and loaded[0].flags.aligned


@pytest.mark.parametrize("protocol", range(6))
def test_load_plain_data(protocol):
    data = {
        "nested": ([1, -2, 2**70, 70000], (), [], {}, (1.5, float("inf"))),
        "text": "κόσμος\n'\"",
        "bytes": b"\x00\xff",
        "constants": [None, True, False],
        "scalar": np.float64(0.25),
    }
    assert array_pickle.load(pickle.dumps(data, protocol)) == data


def test_load_python_2_byte_strings():
    # (numpy.array([1, 2], '<i4'), 'caf\xe9') as cPickle of Python 2 writes it.
    raw = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        b"U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02i4\x89\x88\x87R(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x01\x00\x00\x00\x02\x00\x00\x00tbU\x04caf\xe9\x86."
    )
    array, text = array_pickle.load(raw)
    np.testing.assert_array_equal(array, [1, 2])
    assert (array.dtype, text) == (np.int32, "café")


def test_load_stream_of_known_size():
    raw = pickle.dumps(np.arange(10_000))
    loaded = array_pickle.load(io.BytesIO(raw), size=10**9)
    np.testing.assert_array_equal(loaded, np.arange(10_000))


class Recorded:
    pass


class Model:
    """Pickled by its class's name, which the tests map to `Recorded`."""


@pytest.mark.parametrize("protocol", range(2, 6))
def test_load_extra_class_takes_state(protocol):
    model = Model()
    model.W, model.note = np.ones((2, 2)), "x"
    raw = pickle.dumps(model, protocol)
    loaded = array_pickle.load(raw, extra={(__name__, "Model"): Recorded})
    assert type(loaded) is Recorded
    np.testing.assert_array_equal(loaded.W, model.W)
    assert loaded.note == "x"
    with pytest.raises(ArrayPickleError, match=f"refused {__name__}.Model"):
        array_pickle.load(raw)


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def hostile_calls(marker):
    """Pickles that write the file `marker` when they are run, and what names them."""
    code = f"open({marker!r}, 'w').close()"
    command = f"{sys.executable} -c \"open(r'{marker}', 'w').close()\""
    system = f"{os.system.__module__}.system"
    return {
        "system": (pickle.dumps(Call(os.system, command)), system),
        "eval": (pickle.dumps(Call(eval, code)), "builtins.eval"),
        "exec": (pickle.dumps(Call(exec, code), 2), "__builtin__.exec"),
        "nested": (
            pickle.dumps({"x": [np.ones(3), (Call(eval, code),)]}),
            "builtins.eval",
        ),
        "argument_of_array": (
            pickle.dumps(Call(np.ndarray, Call(eval, code))),
            "builtins.eval",
        ),
        "numpy_save": (
            pickle.dumps(Call(np.save, marker, np.ones(2))),
            "numpy.save",
        ),
        "numpy_tofile": (
            pickle.dumps(Call(getattr, np.ones(2), "tofile")),
            "builtins.getattr",
        ),
        "text_protocol": (
            f"c{os.system.__module__}\nsystem\n(V{command}\ntR.".encode(),
            system,
        ),
        "inst": (
            f"(V{command}\ni{os.system.__module__}\nsystem\n.".encode(),
            system,
        ),
    }


@pytest.mark.parametrize("name", hostile_calls("x"))
def test_load_refuses_call_by_name(tmp_path, name):
    marker = tmp_path / "marker.npy"
    raw, refused = hostile_calls(str(marker))[name]
    with pytest.raises(ArrayPickleError, match=f"refused {refused} "):
        array_pickle.load(raw)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["system", "eval", "nested", "numpy_save", "inst"])
def test_hostile_pickles_are_hostile(tmp_path, name):
    marker = tmp_path / "marker.npy"
    raw, _ = hostile_calls(str(marker))[name]
    program = f"import pickle; pickle.loads({raw!r})"
    subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert marker.exists()


class SetState:
    def __setstate__(self, state):
        builtins.array_pickle_was_run = True


def billion_laughs():
    value = ()
    for _ in range(200):
        value = (value, value)
    return pickle.dumps(value)


def wide_laughs():
    value = ()
    for _ in range(4):
        value = (value,) * 5000
    return pickle.dumps(value)


def cycle():
    value = []
    value.append(value)
    return pickle.dumps(value)


def extension():
    copyreg.add_extension(__name__, "SetState", 77)
    try:
        return pickle.dumps(SetState, 2)
    finally:
        copyreg.remove_extension(__name__, "SetState", 77)


ARRAY_START = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    b"U\x01b\x87R"
)
FLOAT64 = b"cnumpy\ndtype\nU\x02f8\x89\x88\x87R(K\x03U\x01<NNNK\x00K\x00K\x00tb"
PETABYTE = ARRAY_START + (
    b"(K\x01\x8a\x08" + struct.pack("<q", 2**47) + b"\x85" + FLOAT64 + b"\x89U\x00tb."
)
REFUSED = {
    "persistent_id": (b"\x80\x02U\x01xQ.", "persistent id"),
    "persistent_id_text": (b"Px\n.", "persistent id"),
    "extension": (extension(), "extension registry"),
    "object_array": (pickle.dumps(np.array([None])), "dtype 'O8'"),
    "record_array": (pickle.dumps(np.zeros(2, "f4,i4")), "dtype 'V8'"),
    "text_array": (pickle.dumps(np.array(["a"])), "dtype 'U1'"),
    "dates": (pickle.dumps(np.zeros(2, "M8[s]")), "dtype 'M8'"),
    "set": (pickle.dumps({1}), "opcode"),
    "class": (pickle.dumps(SetState()), "refused .*SetState"),
    "petabyte": (PETABYTE, "expected 1125899906842624 bytes"),
    "huge_claim": (b"\x80\x05\x96" + struct.pack("<Q", 2**50) + b"x.", "at most"),
    "huge_string": (b"\x80\x02X\xff\xff\xff\xffx.", "at most"),
    "negative_string": (b"\x80\x02T\xff\xff\xff\xffx.", "found"),
    "memo_bomb": (b"\x80\x02Nr\xff\xff\xff\xff.", "memo index"),
    "billion_laughs": (billion_laughs(), "64 levels"),
    "wide_laughs": (wide_laughs(), "262,144 values"),
    "cycle": (cycle(), "themselves"),
    "deep": (b"\x80\x02" + b"(" * 5000 + b"t" * 5000 + b".", "64 levels"),
    "many_opcodes": (b"\x80\x02" + b"N0" * 140_000 + b"N.", "opcodes"),
    "integer_keys": (pickle.dumps({1: 2}), "dict key of type int"),
    "build_on_none": (b"\x80\x02N}b.", "a state for a NoneType"),
    "build_on_array": (pickle.dumps(np.ones(2), 2)[:-1] + b"}b.", "ndarray"),
    "call_of_string": (b"\x80\x02U\x01x)R.", "a call of a str"),
    "call_of_number": (b"\x80\x02K\x01)R.", "a call of a int"),
    "new_array": (b"\x80\x02cnumpy\nndarray\n)\x81.", "new object"),
    "lone_function": (b"\x80\x02cnumpy\nndarray\n.", "plain data"),
    "unfinished_array": (ARRAY_START + b".", "unfinished"),
    "append_to_tuple": (b"\x80\x02)Na.", "no list"),
    "item_of_list": (b"\x80\x02]U\x01aNs.", "no dict"),
    "protocol_9": (b"\x80\x09N.", "protocol 9"),
    "out_of_band": (b"\x80\x05\x97.", "buffer outside"),
    "trailing_bytes": (pickle.dumps(1) + b"x", "more bytes"),
    "no_stop": (b"\x80\x02N", "cut short"),
    "empty": (b"", "cut short"),
    "empty_stack": (b"\x80\x02.", "sound pickle"),
    "text": (b"hello, world", "sound pickle"),
    "record_by_byte_order": (
        ARRAY_START
        + b"(K\x01K\x00\x85cnumpy\ndtype\nU\x02f8\x89\x88\x87R"
        + b"(K\x03U\x03i4,NNNK\x00K\x00K\x00tb\x89U\x00tb.",
        "array of records",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_load_refuses(name):
    raw, message = REFUSED[name]
    start = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(ArrayPickleError, match=message):
            array_pickle.load(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A bound on hangs, not a measurement; nothing here takes a second.
    assert time.perf_counter() - start < 60
    assert peak < 200 * 2**20
    assert not hasattr(builtins, "array_pickle_was_run")


def test_load_refuses_copies_of_one_string():
    # One string of 1 MB, encoded 300 times, would take 300 MB.
    encode = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    raw = b"\x80\x02X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x00(" + encode * 300 + b"t."
    with pytest.raises(ArrayPickleError, match="copies of a string"):
        array_pickle.load(raw)


def test_load_stream_takes_no_memory_for_a_claim():
    tracemalloc.start()
    try:
        with pytest.raises(ArrayPickleError, match="cut short"):
            array_pickle.load(io.BytesIO(b"\x80\x02X\xff\xff\xff\x7fx"), size=4 * 2**30)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


SMALL = [
    pickle.dumps(((np.ones((2, 2), "f4"), np.arange(2)), {"a": [1, "b"]}), protocol)
    for protocol in range(6)
]


@pytest.mark.parametrize("raw", SMALL)
def test_load_truncated_at_every_byte(raw):
    for length in range(len(raw)):
        with pytest.raises(ArrayPickleError):
            array_pickle.load(raw[:length])


@settings(max_examples=300, deadline=None)
@given(
    raw=st.sampled_from(SMALL),
    flips=st.lists(st.tuples(st.integers(0, 10**4), st.integers(1, 255)), max_size=4),
)
def test_load_flipped_bytes_raise_or_load(raw, flips):
    changed = bytearray(raw)
    for position, bits in flips:
        changed[position % len(raw)] ^= bits
    try:
        array_pickle.load(bytes(changed))
    except ArrayPickleError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", ARRAY_START]))
def test_load_random_bytes_raise_or_load(tail, head):
    try:
        array_pickle.load(head + tail)
    except ArrayPickleError as error:
        assert str(error)
