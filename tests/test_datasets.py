import builtins
import functools
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from small_files import ARRAYS, make_splits, write_idx, write_pickle

from utils import datasets
from utils.datasets import DatasetError, MnistUnavailableError, load, published

pairs = functools.partial(make_splits, (6, 3, 2))


@pytest.fixture(autouse=True)
def private_places(tmp_path, monkeypatch, request):
    """The user's cache, data folder and current folder are not the tests'."""
    if "mnist_folder" in request.fixturenames:
        request.getfixturevalue("mnist_folder")
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOGREG_DATA", raising=False)
    monkeypatch.setattr(published, "_DATA", tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def changed(split, x=None, y=None):
    """Three good splits but for the images or labels of one."""
    splits = pairs()
    old_x, old_y = splits[split]
    splits[split] = (old_x if x is None else x, old_y if y is None else y)
    return splits


ONES = np.ones((6, 4), np.float32)
NAN, INFINITE, HUGE = ONES.copy(), ONES.copy(), ONES.astype(float)
NAN[4, 1], INFINITE[5, 3], HUGE[4, 1] = np.nan, -np.inf, 1e300
BAD = {
    "lengths": (changed(1, y=np.zeros(4, int)), "found 3 images and 4 labels"),
    "widths": (changed(2, x=ONES[:2, :3]), "found 4, 4 and 3 pixels"),
    "no_matrix": (changed(0, x=ONES[0]), "found shape \\(4,\\)"),
    "float_labels": (changed(0, y=np.zeros(6)), r"shape \(6,\) of dtype float64"),
    "bool_labels": (changed(0, y=np.zeros(6, bool)), "dtype bool"),
    "one_hot": (changed(0, y=np.eye(6, dtype=int)), "argmax"),
    "no_arrays": (changed(0, x="pixels"), "found str and ndarray"),
    "label_above": (changed(2, y=np.array([0, 3])), "found 3 at example 1 of the test"),
    "label_below": (changed(1, y=np.array([0, -1, 0])), "found -1 at example 1"),
    "train_below": (changed(0, y=np.array([0, 1, 2, 0, -2, 1])), "found -2"),
    "all_below": (changed(0, y=np.full(6, -1)), "found -1 as the largest"),
    "huge_label": (changed(0, y=np.full(6, 2**40)), "found 1099511627776"),
    "far_label": (
        changed(0, y=np.array([0, 1, 2, 0, 1, 1009])),
        "labels from 0 to 1008 at most, found 1009 .*: 9 examples .*numpy.unique",
    ),
    "unsigned": (changed(0, y=np.full(6, 2**64 - 1, np.uint64)), "found 184467440737"),
    "nan": (changed(0, x=NAN), "training split: .*found nan at example 4, pixel 1"),
    "infinite": (changed(0, x=INFINITE), "found -inf at example 5, pixel 3"),
    "huge": (changed(0, x=HUGE), "found 1e.300 at example 4, pixel 1.*scale the other"),
    "empty": (changed(1, ONES[:0], np.zeros(0, int)), "validation split.*is empty"),
    "no_pixels": (changed(0, x=ONES[:, :0]), "training split.*is empty"),
    "beyond_bytes": (changed(0, x=np.full((6, 4), 256)), "found 256 to 256"),
    "below_bytes": (changed(0, x=np.full((6, 4), -1, np.int8)), "found -1 to -1"),
}


@pytest.mark.parametrize("name", BAD)
def test_load_bad_splits(tmp_path, name):
    splits, message = BAD[name]
    path = write_pickle(tmp_path / "bad.pkl", splits)
    with pytest.raises(DatasetError, match=message) as caught:
        load(path)
    assert isinstance(caught.value, ValueError) and str(path) in str(caught.value)


def test_load_labels_with_gaps(tmp_path):
    y = np.array([0, 1, 2, 0, 1, 1008])
    loaded = load(write_pickle(tmp_path / "a.pkl", changed(0, y=y)))
    np.testing.assert_array_equal(loaded[0][1], y)


@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_load_an_array_of_no_dimension(tmp_path, name):
    np.savez(tmp_path / "a.npz", **(ARRAYS | {name: np.uint8(1)}))
    with pytest.raises(DatasetError, match=r"expected .* found shape \(\)"):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize("value", [0.1, 1e14 + 1, 2.0**-200])
def test_load_other_float64_is_kept(tmp_path, value):
    splits = changed(2, x=np.full((2, 4), value))
    loaded = load(write_pickle(tmp_path / "a.pkl", splits))
    assert {x.dtype for x, _ in loaded} == {np.dtype(np.float64)}
    np.testing.assert_array_equal(loaded[2][0], value)


def test_load_bool_and_column_of_labels(tmp_path):
    splits = changed(0, x=ONES > 0, y=np.arange(6).reshape(6, 1))
    x, y = load(write_pickle(tmp_path / "a.pkl", splits))[0]
    np.testing.assert_array_equal(x, 1.0)
    np.testing.assert_array_equal(y, range(6))


def test_load_digits():
    sklearn = pytest.importorskip("sklearn.datasets")
    want = sklearn.load_digits()
    splits = load("digits")
    assert [x.shape for x, _ in splits] == [(1197, 64), (300, 64), (300, 64)]
    x, y = (np.concatenate(parts) for parts in zip(*splits, strict=True))
    np.testing.assert_array_equal(x, want.data / 16)
    np.testing.assert_array_equal(y, want.target)
    assert (x.dtype, y.dtype, x.max()) == (np.float32, np.int32, 1.0)


def test_load_digits_without_scikit_learn(monkeypatch):
    # None makes any import of it fail.
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DatasetError, match="pip install scikit-learn"):
        load("digits")


def test_load_without_permission(tmp_path, monkeypatch):
    path = write_pickle(tmp_path / "a.pkl", pairs())

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(DatasetError, match="no permission to read it"):
        load(path)


def test_find_mnist_in_order(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("LOGREG_DATA", str(elsewhere))
    write_idx(elsewhere, ARRAYS.values(), ".gz")
    assert Path(datasets.find(datasets.MNIST, offline=True)) == elsewhere
    for folder in ("elsewhere", "data", "here"):
        path = write_pickle(tmp_path / folder / "mnist.pkl.gz", pairs())
        assert Path(datasets.find(datasets.MNIST, offline=True)) == path
    assert load("mnist.pkl.gz")[0][0].shape == (6, 4)


def test_find_mnist_in_cache(tmp_path):
    (tmp_path / "cache").mkdir()
    path = write_pickle(tmp_path / "cache" / "mnist" / "mnist.pkl.gz", pairs())
    assert Path(datasets.find(datasets.MNIST, offline=True)) == path


def test_find_mnist_names_every_place(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGREG_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(MnistUnavailableError, match="not downloaded") as caught:
        load("mnist.pkl.gz", offline=True)
    for place in ("here/mnist.pkl.gz", "data", "elsewhere", "cache"):
        assert str(tmp_path / place) in str(caught.value)
    assert isinstance(caught.value, DatasetError)


def test_path_to_mnist_is_never_replaced(tmp_path):
    write_pickle(tmp_path / "data" / "mnist.pkl.gz", pairs())
    with pytest.raises(DatasetError, match="no such file") as caught:
        load(str(tmp_path / "mnist.pkl.gz"))
    assert not isinstance(caught.value, MnistUnavailableError)


def test_find_mnist_without_home(monkeypatch):
    monkeypatch.delenv("LOGREG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(MnistUnavailableError, match="set LOGREG_CACHE"):
        datasets.find(datasets.MNIST)


def test_load_imports_only_what_it_uses(run, tmp_path):
    path = write_pickle(tmp_path / "a.pkl.gz", pairs())
    program = (
        "import sys; from utils import datasets; "
        f"datasets.load({str(path)!r}); "
        "print(sorted({'sklearn', 'pooch', 'requests', 'tqdm', 'scipy', "
        "'pytensor', 'matplotlib'} & set(sys.modules)))"
    )
    output = run("-c", program)
    assert (output.stdout, output.stderr) == ("[]\n", "")
