"""Small files of every format, damaged: each is refused, or read as it promises.

Here at some bytes, in `long` at every byte and at random.
"""

import os

import pytest
from readers import WAYS

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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
@pytest.mark.parametrize("way", ["model-whole", "checkpoint-whole", "npz-whole"])
def test_pipe_does_not_block(folder, way):
    pipe = str(folder / "pipe.npz")
    os.mkfifo(pipe)
    with pytest.raises(WAYS[way].error, match="a device, pipe or socket"):
        WAYS[way].read(pipe)
