"""Plain files of bytes: mapped into memory, and as well checked as others."""

import mmap
import sys

import numpy as np
import pytest
from small_files import assert_splits, npy_header, write_idx
from test_fingerprint import mapped_bytes

from utils import datasets
from utils.datasets import DatasetError, mapping


@pytest.fixture
def npy_folder(tmp_path, tiny_set):
    for name, array in tiny_set.items():
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


@pytest.fixture
def idx_folder(tmp_path, tiny_set):
    return write_idx(tmp_path, tiny_set.values())


def is_mapped(array):
    """Return True if an array's memory is a mapping of a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


@pytest.mark.parametrize("folder", ["npy_folder", "idx_folder"])
def test_plain_bytes_are_mapped(folder, tiny_splits, request):
    """They are those of the splits, and lie in the file; floats do not."""
    folder = request.getfixturevalue(folder)
    loaded = datasets.load(folder, dtype="uint8")
    for (x, y), (expected_x, expected_y) in zip(loaded, tiny_splits, strict=True):
        assert is_mapped(x) and x.dtype == "uint8"
        np.testing.assert_array_equal(x / 256, expected_x)
        np.testing.assert_array_equal(y, expected_y)
    floats = datasets.load(folder)
    assert_splits(floats, tiny_splits)
    assert not any(is_mapped(x) for x, _ in floats)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.asfortranarray(x),
        lambda x: (x / 256).astype("float32"),
        lambda x: x.astype(">i2"),
    ],
    ids=["fortran", "float32", "int16"],
)
def test_other_npy_arrays_are_read(npy_folder, tiny_set, tiny_splits, change):
    for name in ("x_train", "x_test"):
        np.save(npy_folder / f"{name}.npy", change(tiny_set[name]))
    for (x, _), (expected, _) in zip(
        datasets.load(npy_folder, dtype="uint8"), tiny_splits, strict=True
    ):
        assert not is_mapped(x) and x.dtype == "uint8"
        np.testing.assert_array_equal(x / 256, expected)


def test_a_mapped_file_of_another_length_is_an_error(npy_folder):
    """IDX files are cut at every byte in the tests of damaged files."""
    path = npy_folder / "x_test.npy"
    whole = path.read_bytes()
    for length in (0, 1, 15, 16, 127, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=str(npy_folder)):
            datasets.load(npy_folder, dtype="uint8")
    path.write_bytes(whole + b"\0")
    with pytest.raises(DatasetError, match="more"):
        datasets.load(npy_folder, dtype="uint8")


def test_a_folder_that_lacks_an_array_names_it(npy_folder):
    (npy_folder / "y_test.npy").unlink()
    with pytest.raises(DatasetError, match="found no y_test.npy"):
        datasets.load(npy_folder)


@pytest.mark.skipif(sys.platform != "linux", reason="reads ahead on Linux")
def test_a_mapped_array_is_read_ahead(npy_folder, monkeypatch):
    monkeypatch.setattr(mapping, "_LEAST", 2**24)
    shape = (2**25 // 784, 784)
    with open(npy_folder / "x_train.npy", "wb") as file:
        length = file.write(npy_header(shape))
        file.truncate(length + shape[0] * shape[1])  # takes no room on disk
    np.save(npy_folder / "y_train.npy", np.zeros(shape[0], "uint8"))
    np.save(npy_folder / "x_test.npy", np.zeros((6, 784), "uint8"))
    np.save(npy_folder / "y_test.npy", np.zeros(6, "uint8"))
    (x, _), *_ = datasets.load(npy_folder, dtype="uint8")
    before = mapped_bytes()
    datasets.read_ahead(x).join()
    assert mapped_bytes() - before > 0.9 * x.nbytes
    assert datasets.read_ahead(x.copy()) is None
    assert datasets.read_ahead(x[:10]) is None
