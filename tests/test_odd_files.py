"""Files of sound form and odd content: each is refused, or read as it promises."""

import functools
import os
import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from readers import WAYS
from small_files import WEIGHTS, X, Y, checkpoint_content, npy_bytes

MANY = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


PICKLE_WAYS = ["pickle-protocol_0", "pickle-protocol_2", "pickle-protocol_5"]
PICKLE_WAYS += ["model-whole", "checkpoint-whole", "checkpoint-content"]


@functools.cache
def opcodes(raw):
    starts = [position for _, _, position in pickletools.genops(raw)] + [len(raw)]
    return [raw[a:b] for a, b in zip(starts, starts[1:], strict=False)]


@MANY
@given(
    way=st.sampled_from(PICKLE_WAYS),
    edits=st.lists(
        st.tuples(st.integers(0, 500), st.integers(0, 500), st.booleans()),
        min_size=1,
        max_size=4,
    ),
)
def test_pickle_opcodes_moved_and_repeated(folder, way, edits):
    program = list(opcodes(WAYS[way].seed))
    for source, target, keep in edits:
        opcode = program[source % len(program)]
        if not keep:
            program.remove(opcode)
        program.insert(target % len(program), opcode)
    WAYS[way].try_bytes(folder, b"".join(program))


NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none()
NUMERIC = st.sampled_from(["?", "u1", "i2", ">i4", "i8", "u8", "f2", "f4", ">f8", "f8"])
ANY_ARRAY = st_numpy.arrays(NUMERIC, st_numpy.array_shapes(min_dims=0, min_side=0))
LEAVES = NUMBERS | st.text(max_size=9) | st.binary(max_size=9) | ANY_ARRAY
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(tree, path=()):
    """The way to every node of a tree of dicts, lists and tuples."""
    yield path
    if isinstance(tree, (dict, list, tuple)):
        keys = tree if isinstance(tree, dict) else range(len(tree))
        for key in keys:
            yield from paths(tree[key], (*path, key))


def replaced(tree, path, value):
    if not path:
        return value
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    changed[path[0]] = replaced(tree[path[0]], path[1:], value)
    return changed


def saved_bytes(state):
    """The pickle of a model, of any state."""
    raw = pickle.dumps(state, 2)
    return b"\x80\x02clogistic_sgd\nLogisticRegression\n)\x81" + raw[2:-1] + b"b."


TREES = {
    "pickle-protocol_2": (((X[:, 0], Y), (X[:, 0], Y), (X[:1, 0], Y[:1])), None),
    "model-whole": (WEIGHTS, saved_bytes),
    "checkpoint-content": (checkpoint_content(), None),
    "checkpoint-whole": (pickle.loads(WAYS["checkpoint-whole"].seed), None),
}


@settings(MANY, max_examples=600)
@given(way=st.sampled_from(sorted(TREES)), data=st.data())
def test_other_values_in_the_tree(folder, way, data):
    tree, dumps = TREES[way]
    path = data.draw(st.sampled_from(list(paths(tree))))
    tree = replaced(tree, path, data.draw(VALUES))
    WAYS[way].try_bytes(folder, (dumps or pickle.dumps)(tree))


LENGTHS = st.integers(0, 3) | st.integers(0, 2**32 - 1)


@MANY
@given(
    way=st.sampled_from(["idx-images", "idx-labels"]),
    magic=st.sampled_from([0x801, 0x803, 0xD03]),
    shape=st.lists(LENGTHS, max_size=4),
    elements=st.binary(max_size=30),
)
@example("idx-images", 0x803, [6, 1, 2], bytes(range(12)))
def test_idx_of_any_header(folder, way, magic, shape, elements):
    header = b"".join(n.to_bytes(4, "big") for n in (magic, *shape))
    WAYS[way].try_bytes(folder, header + elements)


@MANY
@given(
    way=st.sampled_from(["npz-images", "npz-labels"]),
    array=ANY_ARRAY,
    fortran=st.booleans(),
)
def test_npz_of_any_array(folder, way, array, fortran):
    array = np.asfortranarray(array) if fortran else array
    WAYS[way].try_bytes(folder, npy_bytes(array))


@MANY
@given(
    descr=st.sampled_from(["|u1", "<f8", ">i2", "|O", "|V8", "<M8[s]", "|b1", "<U3"]),
    fortran=st.sampled_from(["True", "False", "None"]),
    shape=st.lists(st.integers(-1, 4) | st.integers(0, 10**30), max_size=40),
    elements=st.binary(max_size=40),
)
def test_npz_of_any_header(folder, descr, fortran, shape, elements):
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    header = header.replace("[", "(").replace("]", ",)").encode().ljust(300) + b"\n"
    raw = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + elements
    WAYS["npz-images"].try_bytes(folder, raw)


@pytest.mark.parametrize("part", ["format", "version", "sha256", "content"])
@pytest.mark.parametrize("value", [np.ones(2), None, {}, b"x" * 5000])
def test_checkpoint_of_odd_parts(folder, part, value):
    """An array equals nothing: what comes of comparing it is neither true nor false."""
    file = pickle.loads(WAYS["checkpoint-whole"].seed) | {part: value}
    assert not WAYS["checkpoint-whole"].try_bytes(folder, pickle.dumps(file))


def test_checkpoint_of_a_best_model_out_of_shape(folder):
    content = checkpoint_content()
    # As many numbers as there should be, which is what a resumed run compares.
    content["best_model"] = WEIGHTS | {
        "W": np.ones((2, 2), "f4"),
        "b": np.ones(5, "f4"),
    }
    assert not WAYS["checkpoint-content"].try_bytes(folder, pickle.dumps(content))


@pytest.mark.parametrize("value", [np.ones(2), [np.ones(2)], {"x": np.ones(2)}])
def test_model_of_arrays_for_metadata(folder, value):
    """`predict` compares the dataset's name, which an array would make an error."""
    raw = saved_bytes(WEIGHTS | {"metadata": {"dataset": value}})
    assert not WAYS["model-whole"].try_bytes(folder, raw)


def test_model_of_a_model_for_metadata(folder):
    inner = saved_bytes({})[2:-1]
    raw = saved_bytes(WEIGHTS | {"metadata": {"dataset": "here"}})
    raw = raw.replace(b"X\x04\x00\x00\x00here", inner)
    assert not WAYS["model-whole"].try_bytes(folder, raw)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
@pytest.mark.parametrize("way", ["model-whole", "checkpoint-whole"])
def test_pipe_does_not_block(folder, way):
    os.mkfifo(folder / "pipe")
    with pytest.raises(WAYS[way].error, match="a device, pipe or socket"):
        WAYS[way].read(folder / "pipe")


@pytest.mark.parametrize("way", ["model-whole", "checkpoint-whole"])
def test_file_larger_than_memory(folder, way):
    path = WAYS[way].write(folder, b"")
    with open(path, "wb") as file:
        file.write(b"\x80\x05\x96" + (2**43).to_bytes(8, "little"))
        try:
            file.truncate(2**44)  # takes no disk: nothing is written
        except OSError:
            pytest.skip("the folder's system has no such files")
    with pytest.raises(WAYS[way].error, match="8796093022208 bytes after byte 11"):
        WAYS[way].read(path)
