"""Small files of every format, damaged: each is refused, or read as it promises.

Here at some bytes, in `long` at every byte and at random. And sound files of odd
content, which are refused.
"""

import os

import numpy as np
import pytest
from readers import WAYS
from small_files import (
    WEIGHTS,
    checkpoint_members,
    checkpoint_tree,
    saved_bytes,
    zip_bytes,
)

DAMAGED = 24  # places in each file


def places(raw):
    step = len(raw) // DAMAGED + 1
    return sorted({*range(0, len(raw), step), len(raw) // 2, len(raw) - 1})


@pytest.mark.parametrize("way", WAYS)
def test_sound(folder, way):
    assert WAYS[way].try_bytes(folder, WAYS[way].seed)


def check_cut_short(folder, way, lengths):
    raw = WAYS[way].seed
    read = [n for n in lengths if WAYS[way].try_bytes(folder, raw[:n])]
    # The first of two gzip files, one after the other, is a whole one.
    assert read == ([len(raw) // 2] if way == "gzip-stream" else [])


@pytest.mark.parametrize("way", WAYS)
def test_cut_short(folder, way):
    check_cut_short(folder, way, places(WAYS[way].seed))


@pytest.mark.parametrize("way", WAYS)
def test_flipped_bit(folder, way):
    raw = WAYS[way].seed
    for position in places(raw):
        flipped = bytes([raw[position] ^ 1 << position % 8])
        damaged = raw[:position] + flipped + raw[position + 1 :]
        WAYS[way].try_bytes(folder, damaged)


def test_checkpoint_of_a_best_model_out_of_shape(folder):
    content = checkpoint_tree()
    # As many numbers as there should be, which is what a resumed run compares.
    content["best_model"] = WEIGHTS | {
        "W": np.ones((2, 2), "f4"),
        "b": np.ones(5, "f4"),
    }
    raw = zip_bytes(checkpoint_members(content))
    assert not WAYS["checkpoint-whole"].try_bytes(folder, raw)


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
@pytest.mark.parametrize("way", ["model-whole", "checkpoint-whole", "npz-whole"])
def test_pipe_does_not_block(folder, way):
    pipe = str(folder / "pipe.npz")
    os.mkfifo(pipe)
    with pytest.raises(WAYS[way].error, match="a device, pipe or socket"):
        WAYS[way].read(pipe)


def test_file_larger_than_memory(folder):
    model = WAYS["model-whole"]
    path = model.write(folder, b"")
    with open(path, "wb") as file:
        file.write(b"\x80\x05\x96" + (2**43).to_bytes(8, "little"))
        try:
            file.truncate(2**44)  # takes no disk: nothing is written
        except OSError:
            pytest.skip("the folder's system has no such files")
    with pytest.raises(model.error, match="8796093022208 bytes after byte 11"):
        model.read(path)
