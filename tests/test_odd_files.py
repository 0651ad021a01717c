"""Files of sound form and odd content, which are refused."""

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
@pytest.mark.parametrize("way", ["model-whole", "checkpoint-whole"])
def test_pipe_does_not_block(folder, way):
    os.mkfifo(folder / "pipe")
    with pytest.raises(WAYS[way].error, match="a device, pipe or socket"):
        WAYS[way].read(folder / "pipe")


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
