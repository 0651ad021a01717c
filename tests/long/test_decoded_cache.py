"""Decoded datasets that are kept: damaged anywhere, written by processes at once."""

import gzip
import pickle

import numpy as np
from small_files import assert_splits, make_splits

from utils.datasets import decoded_cache, load


def test_an_entry_damaged_at_any_byte_is_the_same_or_none(folder):
    splits = [(x * 256, y.astype(np.int32)) for x, y in make_splits()]
    splits = [(x[:6].astype(np.uint8), y[:6]) for x, y in splits]
    entry = folder / "entry.npz"
    decoded_cache.store(str(entry), splits)
    raw = entry.read_bytes()
    for position in range(len(raw)):
        for change in (1, 0xFF):
            damaged = bytearray(raw)
            damaged[position] ^= change
            entry.write_bytes(damaged)
            found = decoded_cache.load(entry) or splits
            for pair, expected_pair in zip(found, splits, strict=True):
                for array, expected in zip(pair, expected_pair, strict=True):
                    np.testing.assert_array_equal(array, expected, strict=True)
        entry.write_bytes(raw[:position])
        assert decoded_cache.load(entry) is None


def test_real_mnist_is_the_tutorials(mnist_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))
    with gzip.open(mnist_folder / "mnist.pkl.gz") as file:
        want = pickle.load(file, encoding="latin1")
    # Decoded, then from the decoded cache, then from the four IDX files.
    for path in (mnist_folder / "mnist.pkl.gz",) * 2 + (mnist_folder,):
        splits = load(path)
        assert [x.shape for x, _ in splits] == [(50000, 784)] + [(10000, 784)] * 2
        assert_splits(splits, want)
        assert splits[0][0].max() == 0.99609375
