"""Plain files of bytes: mapped into memory, and as well checked as others."""

import mmap
import sys

import numpy as np
import pytest
from small_files import ARRAYS, npy_header, write_idx
from test_fingerprint import mapped_bytes

from utils import datasets
from utils.datasets import DatasetError, mapping


@pytest.fixture
def arrays(tiny_arrays):
    """The four arrays of a dataset, images of 3 x 4 bytes."""
    x, y = tiny_arrays
    images = x.reshape(-1, 3, 4)
    return images[:120], y[:120], images[120:], y[120:]


@pytest.fixture
def npy_folder(tmp_path, arrays):
    for name, array in zip(ARRAYS, arrays, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


@pytest.fixture
def idx_folder(tmp_path, arrays):
    return write_idx(tmp_path, arrays)


def is_mapped(array):
    """Return True if an array's memory is a mapping of a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def check_bytes(folder, tiny_splits):
    """Load a folder; its bytes are those of the splits, and lie in the file."""
    loaded = datasets.load(folder, dtype="uint8")
    for (x, y), (expected_x, expected_y) in zip(loaded, tiny_splits, strict=True):
        assert is_mapped(x) and x.dtype == "uint8"
        np.testing.assert_array_equal(x / 256, expected_x)
        np.testing.assert_array_equal(y, expected_y)
    for (x, _), (expected_x, _) in zip(datasets.load(folder), tiny_splits, strict=True):
        assert not is_mapped(x) and x.dtype == "float32"
        np.testing.assert_array_equal(x, expected_x)


def test_plain_idx_files_are_mapped(idx_folder, tiny_splits):
    check_bytes(idx_folder, tiny_splits)


def test_a_folder_of_npy_files_is_mapped(npy_folder, tiny_splits):
    check_bytes(npy_folder, tiny_splits)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.asfortranarray(x),
        lambda x: (x / 256).astype("float32"),
        lambda x: x.astype(">i2"),
    ],
    ids=["fortran", "float32", "int16"],
)
def test_other_npy_arrays_are_read(npy_folder, arrays, tiny_splits, change):
    for name, array in zip(ARRAYS, arrays, strict=True):
        if name.startswith("x"):
            np.save(npy_folder / f"{name}.npy", change(array))
    for (x, _), (expected, _) in zip(
        datasets.load(npy_folder, dtype="uint8"), tiny_splits, strict=True
    ):
        assert not is_mapped(x) and x.dtype == "uint8"
        np.testing.assert_array_equal(x / 256, expected)


@pytest.mark.parametrize("folder", ["npy_folder", "idx_folder"])
def test_a_mapped_file_of_another_length_is_an_error(folder, request):
    folder = request.getfixturevalue(folder)
    [path] = [*folder.glob("x_test*"), *folder.glob("t10k-images*")]
    whole = path.read_bytes()
    for length in (0, 1, 15, 16, 127, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=str(folder)):
            datasets.load(folder, dtype="uint8")
    path.write_bytes(whole + b"\0")
    with pytest.raises(DatasetError, match="more"):
        datasets.load(folder, dtype="uint8")


def test_a_header_that_claims_petabytes_takes_no_memory(npy_folder):
    raw = npy_header((10**12, 784)) + bytes(100)
    (npy_folder / "x_train.npy").write_bytes(raw)
    with pytest.raises(DatasetError, match="x_train.npy.*expected 784000000000000 by"):
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
