import gzip
import pickle
import zipfile

import numpy as np
import pytest
from small_files import IDX_NAMES, write_idx

from utils.datasets import DatasetError, load

RNG = np.random.default_rng(0)
TRAIN_X = RNG.integers(0, 256, (30, 4, 3)).astype(np.uint8)
TRAIN_Y = np.arange(30, dtype=np.uint8) % 5
TEST_X = RNG.integers(0, 256, (7, 4, 3)).astype(np.uint8)
TEST_Y = np.arange(7, dtype=np.uint8) % 5
ARRAYS = dict(x_train=TRAIN_X, y_train=TRAIN_Y, x_test=TEST_X, y_test=TEST_Y)
# A sixth of the 30 training images are for validation.
PIXELS = [TRAIN_X[:25] / 256, TRAIN_X[25:] / 256, TEST_X / 256]
LABELS = [TRAIN_Y[:25], TRAIN_Y[25:], TEST_Y]


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))


def as_pairs():
    return tuple(
        (x.reshape(len(x), -1).astype(np.float32), y.astype(np.int64))
        for x, y in zip(PIXELS, LABELS, strict=True)
    )


def assert_is_the_dataset(splits):
    for (x, y), pixels, labels in zip(splits, PIXELS, LABELS, strict=True):
        np.testing.assert_array_equal(x, pixels.reshape(len(pixels), -1))
        np.testing.assert_array_equal(y, labels)
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.flags.c_contiguous and x.flags.aligned


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_folder(tmp_path, suffix):
    assert_is_the_dataset(load(write_idx(tmp_path / "a b é", ARRAYS.values(), suffix)))


def test_idx_names_with_a_dot(tmp_path):
    names = [name.replace("-idx", ".idx") for name in IDX_NAMES]
    assert_is_the_dataset(load(str(write_idx(tmp_path, ARRAYS.values(), names=names))))


def test_idx_validation_is_ten_thousand_of_more(tmp_path):
    labels = np.arange(66_000, dtype=np.uint8) % 10
    images = labels.reshape(-1, 1, 1)
    write_idx(tmp_path, (images, labels, images[:10], labels[:10]))
    assert [len(x) for x, _ in load(tmp_path)] == [56_000, 10_000, 10]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_which_other_members_are_not_read(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.npy", b"not an array")
        archive.writestr("object.npy", pickle.dumps(print))
    assert_is_the_dataset(load(path))
    assert not (tmp_path.parent.parent / "outside.npy").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_pickle(tmp_path, protocol):
    raw = pickle.dumps(as_pairs(), protocol)
    path = tmp_path / ("plain.pkl" if protocol % 2 else "mnist.pkl.gz")
    path.write_bytes(raw if protocol % 2 else gzip.compress(raw))
    assert_is_the_dataset(load(path))


def test_pickle_of_several_gzip_members_and_padding(tmp_path):
    raw = pickle.dumps(as_pairs())
    path = tmp_path / "a.pkl.gz"
    path.write_bytes(gzip.compress(raw[:99]) + gzip.compress(raw[99:]) + bytes(512))
    assert_is_the_dataset(load(path))


def test_idx_single_file_asks_for_the_folder_and_missing_ones_are_named(tmp_path):
    write_idx(tmp_path, ARRAYS.values())
    with pytest.raises(DatasetError, match="Name the folder"):
        load(tmp_path / IDX_NAMES[0])
    (tmp_path / IDX_NAMES[1]).unlink()
    (tmp_path / IDX_NAMES[2]).unlink()
    with pytest.raises(DatasetError, match=f"{IDX_NAMES[1]}, {IDX_NAMES[2]}"):
        load(tmp_path)


BAD_FILES = {
    "page.pkl.gz": (b"<!DOCTYPE html><html></html>", "web page"),
    "page.pkl": (b"\n <html><body>404</body></html>", "web page"),
    "page.npz": (b"<html></html>", "web page"),
    "text.pkl.gz": (b"hello", "expected gzip data, found the bytes 68 65"),
    "text.pkl": (b"hello", "sound pickle"),
    "text.npz": (b"hello", "found the bytes 68 65"),
    "empty.pkl.gz": (b"", "empty file"),
    "two_pairs.pkl": (pickle.dumps(as_pairs()[:2]), "three \\(images, labels\\) pairs"),
    "dict.pkl": (pickle.dumps({"x": 1}), "found a dict"),
    "triples.pkl": (pickle.dumps(tuple((1, 2, 3) for _ in "abc")), "another layout"),
    "lists.pkl": (pickle.dumps([([[1]], [0])] * 3), "expected NumPy arrays"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(tmp_path, name):
    raw, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DatasetError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)


def test_missing_file_and_names_that_no_file_can_have(tmp_path):
    for path, message in (
        (tmp_path / "none.pkl.gz", "no such file or folder"),
        ("a\0b", "null"),
        (None, "found NoneType"),
    ):
        with pytest.raises(DatasetError, match=message):
            load(path)
