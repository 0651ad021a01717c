"""Decoded datasets that are kept: served, replaced, never trusted, never in the way."""

import io
import os
import pickle

import numpy as np
import pytest
from small_files import assert_splits, make_splits, write_pickle

from utils.datasets import decoded_cache, formats, load


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the entries, in which small datasets are kept too."""
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded_cache, "MIN_SOURCE_BYTES", 1)
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def source(tmp_path):
    """A gzipped dataset, and what it holds."""
    splits = make_splits()
    return write_pickle(tmp_path / "source.pkl.gz", splits), splits


def check_served(monkeypatch, path, splits):
    """Load a source that cannot be decoded, as its entry is enough."""

    def never(path):
        raise AssertionError(f"{path} was decoded again")

    with monkeypatch.context() as patch:
        patch.setattr(formats, "_decode", never)
        assert_splits(load(path), splits)


def test_the_second_load_is_served(tmp_path, cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))
    splits = make_splits(width=20_000)
    path = write_pickle(tmp_path / "large.pkl.gz", splits)
    assert_splits(load(path), splits)
    check_served(monkeypatch, path, splits)
    assert all(x.flags.writeable for x, _ in load(path))
    # NumPy reads it too, and whole 256ths are kept as bytes.
    [entry] = cache.iterdir()
    with np.load(entry) as arrays:
        assert [array.dtype for array in arrays.values()] == ["uint8", "int32"] * 3
        np.testing.assert_array_equal(arrays["arr_2"], splits[1][0] * 256)


def test_other_floats_are_kept_as_they_are(tmp_path, monkeypatch):
    splits = [(x * np.float32(1 / 3), y) for x, y in make_splits()]
    path = write_pickle(tmp_path / "source.pkl.gz", splits)
    load(path)
    check_served(monkeypatch, path, splits)


def test_a_compressed_npz_is_kept(tmp_path, cache, tiny_set):
    for save, entries in ((np.savez, 0), (np.savez_compressed, 1)):
        save(tmp_path / "source.npz", **tiny_set)
        load(tmp_path / "source.npz")
        assert len(list(cache.glob("*"))) == entries


def test_a_changed_source_is_decoded(source):
    path, _ = source
    load(path)
    splits = make_splits(seed=1)
    write_pickle(path, splits)
    assert_splits(load(path), splits)


def test_small_and_plain_sources_are_not_kept(tmp_path, source, cache, monkeypatch):
    path, splits = source
    load(write_pickle(tmp_path / "plain.pkl", splits))
    monkeypatch.setattr(decoded_cache, "MIN_SOURCE_BYTES", path.stat().st_size + 1)
    load(path)
    assert not cache.exists()


def saved(*arrays):
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


PAIR = np.zeros((2, 4), np.uint8), np.zeros(2, np.int32)
DAMAGE = {
    "a flipped pixel": lambda raw: raw[:300] + bytes([raw[300] ^ 1]) + raw[301:],
    "cut short": lambda raw: raw[:-1],
    "empty": lambda raw: b"",
    "a false shape": lambda raw: raw.replace(b"(60, 4)", b"(40, 6)"),
    "a pickle": lambda raw: pickle.dumps(os.system),
    "two splits": lambda raw: saved(*PAIR * 2),
    "half a split": lambda raw: saved(*PAIR * 2, PAIR[0]),
    "objects": lambda raw: saved(*PAIR * 2, PAIR[0], np.array([print, None])),
    "no dataset": lambda raw: saved(*PAIR[::-1] * 3),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_entry_is_replaced(source, cache, monkeypatch, name):
    path, splits = source
    load(path)
    [entry] = cache.iterdir()
    raw = DAMAGE[name](entry.read_bytes())
    assert raw != entry.read_bytes()
    entry.write_bytes(raw)
    assert decoded_cache.load(entry) is None
    assert_splits(load(path), splits)
    check_served(monkeypatch, path, splits)


def test_a_cache_that_cannot_be_made_is_done_without(source, cache):
    path, splits = source
    cache.parent.write_bytes(b"")
    assert_splits(load(path), splits)
    assert_splits(load(path), splits)


def test_the_entries_used_last_are_kept(tmp_path, cache):
    paths = []
    for index in range(decoded_cache.MAX_ENTRIES + 2):
        paths.append(
            write_pickle(tmp_path / f"{index}.pkl.gz", make_splits(seed=index))
        )
        load(paths[-1])
        for age, entry in enumerate(sorted(cache.iterdir(), key=os.path.getmtime)):
            os.utime(entry, (1e9 + age, 1e9 + age))
        load(paths[0])
    kept = [os.path.exists(decoded_cache.entry([path])) for path in paths]
    assert kept == [True, False, False, True, True, True]
    assert len(list(cache.iterdir())) == decoded_cache.MAX_ENTRIES
