"""A checkpoint's file: what it keeps exactly, and what becomes of damage."""

import math
import zipfile

import numpy as np
import pytest
from small_files import (
    checkpoint_bytes,
    checkpoint_content,
    checkpoint_members,
    checkpoint_tree,
)

from utils.training import checkpoint_file
from utils.training.checkpoint_file import CheckpointError


def kept(path, content):
    """What is read of a checkpoint of that content."""
    path.write_bytes(checkpoint_file.dumps(content))
    return checkpoint_file.read(path)


@pytest.fixture
def path(folder):
    return folder / "run.ckpt"


def test_content_is_kept(path):
    expected = checkpoint_content()
    found = kept(path, expected)
    np.testing.assert_equal(found, expected)
    order = list(found["best_model"]["metadata"])
    assert order == list(expected["best_model"]["metadata"]) != sorted(order)
    for part in ("history", "best_model"):
        assert list(found[part]) == list(expected[part])
        for name, value in expected[part].items():
            assert getattr(found[part][name], "dtype", None) == getattr(
                value, "dtype", None
            )


def test_file_is_a_zip_of_json_and_npy(path):
    path.write_bytes(checkpoint_file.dumps(checkpoint_content()))
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
        assert {info.compress_type for info in archive.infolist()} == {0}
    assert found == checkpoint_members()
    np.testing.assert_array_equal(np.load(path)["0"], [1, 2])


def test_numbers_are_kept_exactly(path):
    rng = np.random.default_rng(1)
    numbers = rng.uniform(size=100) * 10.0 ** rng.integers(-300, 300, size=100)
    figures = {f"n{i}": number for i, number in enumerate(numbers.tolist())}
    figures |= {"inf": math.inf, "nan": math.nan, "zero": -0.0, "least": 5e-324}
    figures |= {"scalar": np.float64(0.1)}
    content = checkpoint_content()
    content["best_model"]["metadata"].update(figures)
    found = kept(path, content)["best_model"]["metadata"]
    for name, value in figures.items():
        assert found[name].hex() == float(value).hex()


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)),
        np.arange(6, dtype=">f4"),
        np.zeros((0, 3), "f4"),
        np.array(1, "f4"),
        np.arange(9, dtype="f4")[::2],
    ],
    ids=["fortran", "big_endian", "empty", "no_dimensions", "strided"],
)
def test_arrays_of_any_layout(path, array):
    content = checkpoint_content() | {"variables": {"W": array}}
    found = kept(path, content)["variables"]["W"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype is np.dtype("float32") and found.flags.writeable


@pytest.mark.parametrize(
    "column, values, found",
    [
        ("epoch", [-1, 2], "numbers of no run"),
        ("iter", [2**60, 2**60], "numbers of no run"),
        ("seconds", [0.5, math.nan], "numbers of no run"),
        ("seconds", [-0.5, 1.5], "numbers of no run"),
        ("validation_loss", [1e300, 0.25], "numbers of no run"),
        ("iter", [9, 1], "'iter' falls"),
        ("seconds", [1.5, 0.5], "'seconds' falls"),
        ("epoch", [1, 1], "does not end where"),
        ("test_score", [0.5, math.nan], "does not end where"),
    ],
)
def test_history_of_no_run_is_refused(path, column, values, found):
    content = checkpoint_content()
    content["history"][column] = np.array(values)
    with pytest.raises(CheckpointError, match=found):
        kept(path, content)


@pytest.mark.parametrize(
    "part, value, found",
    [
        ("variables", {"W": "W"}, "a variable that is no array"),
        ("graph", np.zeros(0), "a graph that is no text"),
        ("best_model", {}, "no W that is a ndarray"),
        ("fingerprint", 7, "a fingerprint that is no str"),
        ("evaluations", None, "a evaluations that is no dict"),
    ],
)
def test_part_out_of_place_is_refused(path, part, value, found):
    with pytest.raises(CheckpointError, match=found):
        kept(path, checkpoint_content() | {part: value})


def nested(depth):
    return f"[{nested(depth - 1)}]" if depth else "0"


@pytest.mark.parametrize(
    "part, value, found",
    [
        ("best_model", "1" * 1000, "opcode LONG4"),
        ("metadata", "1" * 1000, "opcode LONG4"),
        ("metadata", nested(63), "64 levels"),
        ("metadata", f"[{'1e15,' * 70_000}0]", "bytes of text"),
        ("metadata", f'"{"é" * 200_000}"', "bytes of text"),
    ],
)
def test_model_that_could_not_be_read_again_is_refused(path, part, value, found):
    """A resumed run writes it, in the model's file and in the next checkpoint."""
    content = checkpoint_content()
    model = content["best_model"]
    (model["metadata"] if part == "metadata" else model)["more"] = "?"
    text = checkpoint_members(checkpoint_tree() | content)["content.json"].decode()
    text = text.replace('"?"', value).encode()
    path.write_bytes(checkpoint_bytes({"content.json": text}))
    with pytest.raises(CheckpointError, match=found):
        checkpoint_file.read(path)


def test_run_that_has_no_model_yet(path):
    """As of a reader's script that first saves one after some epochs."""
    content = checkpoint_content()
    content["state"] |= {"best_epoch": 0, "best_validation_loss": math.inf}
    content["best_model"] = {}
    assert kept(path, content)["best_model"] == {}


def test_equal_states_give_equal_bytes(path):
    raw = checkpoint_file.dumps(checkpoint_content())
    assert checkpoint_file.dumps(checkpoint_content()) == raw
    path.write_bytes(raw)
    assert checkpoint_file.dumps(checkpoint_file.read(path)) == raw


def test_what_cannot_be_kept_is_an_error():
    with pytest.raises(TypeError, match="cannot keep a set"):
        checkpoint_file.dumps(checkpoint_content() | {"versions": {1}})


def assert_flips_are_found(path, step):
    """Flip a bit of every `step`-th byte; nothing else than the sound content is read.

    Such as a member's date, which no reader needs.
    """
    sound = checkpoint_content()
    raw = bytearray(checkpoint_bytes())
    for position in range(0, len(raw), step):
        raw[position] ^= 1 << position % 8
        path.write_bytes(raw)
        raw[position] ^= 1 << position % 8
        try:
            found = checkpoint_file.read(path)
        except CheckpointError as error:
            assert str(path) in str(error) and "without --resume" in str(error)
        else:
            np.testing.assert_equal(found, sound)


def test_flipped_bits_are_found(path):
    assert_flips_are_found(path, 17)
