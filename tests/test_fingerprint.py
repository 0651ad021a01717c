"""The fingerprint of a dataset: computed here again, and how little of it is read."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from utils.datasets import fingerprint


@pytest.fixture
def splits():
    """1,023 images for training, of which 512 evenly spaced are every second one."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, 256, (n, 3), np.uint8), np.arange(n, dtype=np.int32))
        for n in (1023, 1, 4)
    ]


def test_fingerprint_is_a_digest_of_the_sampled_images(splits):
    (train_x, train_y), (valid_x, valid_y), (test_x, test_y) = splits
    digest = hashlib.sha256(
        b"uint8(1023, 3)int32(1023,)" + train_y.tobytes() + train_x[::2].tobytes()
        + b"uint8(1, 3)int32(1,)" + valid_y.tobytes() + valid_x.tobytes()
        + b"uint8(4, 3)int32(4,)" + test_y.tobytes() + test_x.tobytes()
    )  # fmt: skip
    expected = f"1023 + 1 + 4 examples of 3, {digest.hexdigest()[:16]}"
    assert fingerprint(splits) == expected
    strided = [(np.asfortranarray(x), np.repeat(y, 2)[::2]) for x, y in splits]
    assert fingerprint(strided) == expected


def mapped_bytes():
    """How much of the files that this process has mapped is in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssFile:")[1].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for mapped memory")
def test_fingerprint_does_not_read_a_mapped_dataset_whole(tmp_path):
    with open(tmp_path / "images", "wb") as file:
        file.truncate(2**28)  # takes no room on disk
    x = np.memmap(tmp_path / "images", np.uint8, "r", shape=(2**18, 2**10))
    before = mapped_bytes()
    fingerprint([(x, np.zeros(len(x), np.int32))] * 3)
    assert mapped_bytes() - before < x.nbytes / 4
