"""Small files, damaged or of odd content: each is refused, or read as it promises."""

import functools
import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from readers import WAYS
from small_files import (
    WEIGHTS,
    X,
    Y,
    checkpoint_members,
    checkpoint_tree,
    npy,
    npy_bytes,
    saved_bytes,
    zip_bytes,
)
from test_damaged_files import check_cut_short

MANY = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("way", WAYS)
def test_truncated_at_every_byte(folder, way):
    check_cut_short(folder, way, range(len(WAYS[way].seed)))


@MANY
@given(
    way=st.sampled_from(sorted(WAYS)),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), min_size=1),
)
def test_flipped_bits(folder, way, flips):
    raw = bytearray(WAYS[way].seed)
    for position, bit in flips:
        raw[position % len(raw)] ^= 1 << bit
    WAYS[way].try_bytes(folder, bytes(raw))


PICKLE_WAYS = ["pickle-protocol_0", "pickle-protocol_2", "pickle-protocol_5"]
PICKLE_WAYS += ["model-whole"]


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


def checkpoint_of(tree):
    return zip_bytes(checkpoint_members(tree))


TREES = {
    "pickle-protocol_2": (
        (((X[:, 0], Y), (X[:, 0], Y), (X[:1, 0], Y[:1])), pickle.dumps)
    ),
    "model-whole": (WEIGHTS, saved_bytes),
    "checkpoint-whole": (checkpoint_tree(), checkpoint_of),
}


@settings(MANY, max_examples=600)
@given(way=st.sampled_from(sorted(TREES)), data=st.data())
def test_other_values_in_the_tree(folder, way, data):
    tree, dumps = TREES[way]
    path = data.draw(st.sampled_from(list(paths(tree))))
    tree = replaced(tree, path, data.draw(VALUES))
    WAYS[way].try_bytes(folder, dumps(tree))


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
    way=st.sampled_from(["npz-images", "npz-labels", "checkpoint-array"]),
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
    WAYS["npz-images"].try_bytes(folder, npy(header, elements))
