import gzip
import pickle
import zipfile

import numpy as np
import pytest
from small_files import IDX_NAMES, assert_splits, write_idx

from utils.datasets import DatasetError, load


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))


def pickled(splits, protocol=4):
    return pickle.dumps([(x.astype(np.float32), y) for x, y in splits], protocol)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_folder(tmp_path, tiny_set, tiny_splits, suffix):
    folder = write_idx(tmp_path / "a b é", tiny_set.values(), suffix)
    assert_splits(load(folder), tiny_splits)


def test_idx_names_with_a_dot(tmp_path, tiny_set, tiny_splits):
    names = [name.replace("-idx", ".idx") for name in IDX_NAMES]
    folder = write_idx(tmp_path, tiny_set.values(), names=names)
    assert_splits(load(str(folder)), tiny_splits)


def test_idx_validation_is_ten_thousand_of_more(tmp_path):
    labels = np.arange(66_000, dtype=np.uint8) % 10
    images = labels.reshape(-1, 1, 1)
    write_idx(tmp_path, (images, labels, images[:10], labels[:10]))
    assert [len(x) for x, _ in load(tmp_path)] == [56_000, 10_000, 10]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_which_other_members_are_not_read(tmp_path, tiny_set, tiny_splits, save):
    path = tmp_path / "a.npz"
    save(path, **tiny_set)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.npy", b"not an array")
        archive.writestr("object.npy", pickle.dumps(print))
    assert_splits(load(path), tiny_splits)
    assert not (tmp_path.parent.parent / "outside.npy").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_pickle(tmp_path, tiny_splits, protocol):
    raw = pickled(tiny_splits, protocol)
    path = tmp_path / ("plain.pkl" if protocol % 2 else "mnist.pkl.gz")
    path.write_bytes(raw if protocol % 2 else gzip.compress(raw))
    assert_splits(load(path), tiny_splits)


def test_pickle_of_several_gzip_members_and_padding(tmp_path, tiny_splits):
    raw = pickled(tiny_splits)
    path = tmp_path / "a.pkl.gz"
    path.write_bytes(gzip.compress(raw[:99]) + gzip.compress(raw[99:]) + bytes(512))
    assert_splits(load(path), tiny_splits)


def test_idx_single_file_and_missing_ones_are_named(tmp_path, tiny_set):
    write_idx(tmp_path, tiny_set.values())
    with pytest.raises(DatasetError, match="Name the folder"):
        load(tmp_path / IDX_NAMES[0])
    (tmp_path / IDX_NAMES[1]).unlink()
    (tmp_path / IDX_NAMES[2]).unlink()
    with pytest.raises(DatasetError, match=f"{IDX_NAMES[1]}, {IDX_NAMES[2]}"):
        load(tmp_path)


PAIR = np.ones((2, 2), np.float32), np.zeros(2, np.int32)
BAD_FILES = {
    "page.pkl.gz": (b"<!DOCTYPE html><html></html>", "web page"),
    "page.pkl": (b"\n <html><body>404</body></html>", "web page"),
    "page.npz": (b"<html></html>", "web page"),
    "text.pkl.gz": (b"hello", "expected gzip data, found the bytes 68 65"),
    "text.pkl": (b"hello", "sound pickle"),
    "text.npz": (b"hello", "found the bytes 68 65"),
    "header.csv": (b"label,pixel 0\r\n5,0\r\n", r"a CSV file.*numpy.loadtxt\(path"),
    "numbers": (b"5,0,0,12\n0,0,3,255\n", "a CSV file"),
    "spaces.txt": (b"5 0 0 12\n", "a CSV file"),
    "excel.csv": (b"\xef\xbb\xbfKlasse;Gr\xc3\xb6\xc3\x9fe\r\n1;0,5", "a CSV file"),
    "tabs.tsv.gz": (gzip.compress(b"class\tlength\n0\t0.5\n"), "a CSV file"),
    "empty.pkl.gz": (b"", "empty file"),
    "two_pairs.pkl": (pickle.dumps([PAIR] * 2), "three \\(images, labels\\) pairs"),
    "dict.pkl": (pickle.dumps({"x": 1}), "found a dict"),
    "triples.pkl": (pickle.dumps(tuple((1, 2, 3) for _ in "abc")), "another layout"),
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
    ):
        with pytest.raises(DatasetError, match=message):
            load(path)
