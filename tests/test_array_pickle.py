import io
import pickle

import numpy as np
import pytest
from processes import with_peak

from utils.files import array_pickle
from utils.files.array_pickle import ArrayPickleError

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


def test_load_stream_takes_no_memory_for_a_claim():
    def load():
        with pytest.raises(ArrayPickleError, match="cut short"):
            array_pickle.load(io.BytesIO(b"\x80\x02X\xff\xff\xff\x7fx"), size=4 * 2**30)

    assert with_peak(load)[1] < 8 * 2**20


@pytest.mark.parametrize("protocol", range(6))
def test_load_many_arrays_of_one_byte(protocol):
    """Python has one object for each byte, which a pickle then has once too."""
    arrays = [np.array([number % 2], np.uint8) for number in range(300)]
    loaded = array_pickle.load(pickle.dumps(arrays, protocol))
    np.testing.assert_array_equal(loaded, arrays)


@pytest.mark.parametrize("protocol", range(6))
def test_load_takes_memory_once_for_the_elements_of_an_array(protocol):
    raw = pickle.dumps(np.ones(2**20), protocol)
    loaded, peak = with_peak(array_pickle.load, io.BytesIO(raw), None, len(raw))
    assert peak < 1.25 * loaded.nbytes


# The elements of an array as Python 2 wrote them in protocol 0.
PYTHON_2 = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    b"(I1\n(I%d\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    b"I00\nS%s\ntb."
)


@pytest.mark.parametrize("seed", range(3))
def test_load_elements_with_escapes(seed):
    """Bytes that need escapes, some of which are cut off where a piece ends."""
    rng = np.random.default_rng(seed)
    array = rng.choice(np.frombuffer(b"\\'\"\n\x00a\xe9", np.uint8), 400_000)
    raw = PYTHON_2 % (len(array), repr(array.tobytes())[1:].encode())
    np.testing.assert_array_equal(array_pickle.load(raw), array)
    for protocol in range(3):
        loaded = array_pickle.load(pickle.dumps(array, protocol))
        np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize(
    "start, end",
    [
        (b"V", b"\n"),
        (b"S'", b"'\n"),
        (b"X" + (2**20 + 1).to_bytes(4, "little"), b""),
        (b"T" + (2**20 + 1).to_bytes(4, "little"), b""),
    ],
)
def test_long_text_is_refused(start, end):
    with pytest.raises(ArrayPickleError, match="more than 1,048,576 bytes of text"):
        array_pickle.load(start + b"a" * (2**20 + 1) + end + b".")
    texts = [*map(str, range(20_000)), "long" * 2**17]
    assert array_pickle.load(pickle.dumps(texts, 0)) == texts


def test_text_equal_to_an_element():
    """Python has one object for each character, and a pickle has it once."""
    data = {"array": np.array([97], "u1"), "a": ["a", b"a"]}
    for protocol in range(6):
        loaded = array_pickle.load(pickle.dumps(data, protocol))
        assert loaded["array"].tolist() == [97] and loaded["a"] == ["a", b"a"]


def test_loaded_arrays_share_no_memory():
    first, second = array_pickle.load(pickle.dumps([np.ones(5000), np.ones(5000)]))
    first[:] = 2
    assert second.sum() == 5000


def test_load_bool_array_of_other_bytes():
    raw = pickle.dumps(np.array([True, False, True]), 4)
    (array,) = {array_pickle.load(raw.replace(b"\1\0\1", b"\7\0\xff")).tobytes()}
    assert array == b"\1\0\1"
