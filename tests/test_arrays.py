"""Arrays instead of a dataset's name: loaded, trained on, resumed, looked at."""

import functools
import re

import numpy as np
import pytest
from cut_off import (
    DATASET,
    MIDDLE,
    TRAININGS,
    check_resumed,
    cut_off,
    in_folder,
    resume,
    saved,
)

import logistic_sgd
from utils import datasets
from utils.datasets import DatasetError
from utils.errors import CheckpointError
from utils.report import page
from utils.report.evaluation import evaluate

RNG = np.random.default_rng(0)


def standardised(x):
    """Floats that no bytes stand for, of other values than 0 to 1."""
    return (x - 127.3) / 50


def three(x, y):
    """The splits of `tiny_splits`."""
    return [(x[cut], y[cut]) for cut in np.s_[:100, 100:120, 120:150]]


def misaligned(x):
    raw = b"-" + x.astype(np.float64).tobytes()
    return np.frombuffer(raw, np.float64, offset=1).reshape(x.shape)


class Frame:
    """As another library's table: NumPy can ask it for its array."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


KINDS = {
    "bytes": lambda x: x,
    "images": lambda x: x.reshape(-1, 3, 4),
    "whole numbers": lambda x: x.astype(">i8"),
    "unsigned numbers": lambda x: x.astype(np.uint16),
    "Fortran order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=0)[::2],
    "floats": lambda x: x / np.float32(256),
    "half floats": lambda x: (x / 256).astype(np.float16),
    "big-endian floats": lambda x: (x / 256).astype(">f8"),
    "misaligned floats": lambda x: misaligned(x / 256),
    "lists": lambda x: x.tolist(),
    "another library": Frame,
}


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize("kind", KINDS)
def test_three_pairs(kind, dtype, tiny_arrays, tiny_splits):
    given = [(KINDS[kind](x), y.tolist()) for x, y in three(*tiny_arrays)]
    loaded = datasets.load(given, dtype=dtype)
    assert len(given) == 3
    for (x, y), (pixels, labels) in zip(loaded, tiny_splits, strict=True):
        np.testing.assert_array_equal(x / 256 if dtype else x, pixels)
        np.testing.assert_array_equal(y, labels)
        assert (x.dtype, y.dtype) == (dtype or np.float32, np.int32)
        assert x.flags.c_contiguous and x.flags.aligned


@pytest.mark.parametrize(
    "n, sizes", [(150, (108, 21, 21)), (7, (5, 1, 1)), (80_000, (60_000, 10**4, 10**4))]
)
def test_one_pair_is_split_in_its_order(n, sizes):
    x, y = RNG.integers(0, 256, (n, 2), np.uint8), np.arange(n) % 3
    loaded = datasets.load((x, y), dtype="uint8")
    assert tuple(len(x) for x, _ in loaded) == sizes
    np.testing.assert_array_equal(np.concatenate([x for x, _ in loaded]), x)
    np.testing.assert_array_equal(np.concatenate([y for _, y in loaded]), y)


def test_mapped_bytes_stay_in_their_file(tmp_path):
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (70, 2, 3), np.uint8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    for split, _ in datasets.load((x, np.arange(70) % 3), dtype="uint8"):
        assert np.shares_memory(split, x) and type(split) is np.ndarray


X, Y = np.ones((14, 4)), np.arange(14) % 3
BAD = {
    "nothing": (None, "name or path of a dataset, or arrays: .*found NoneType"),
    "images alone": (X, "found ndarray"),
    "two pairs": (((X, Y), (X, Y)), "three pairs .* found a tuple of 2 pairs"),
    "four": ([X, Y, X, Y], "found a list of 4$"),
    "ragged": (([[1, 2], [3], [4]], Y), "found a list that NumPy cannot make one"),
    "floats": ((X, Y / 1), r"float64.*y.astype\(int\)"),
    "nan": ([(X, Y), (X * np.nan, Y), (X, Y)], "given: validation split: .*found nan"),
    "six examples": ((X[:6], Y[:6]), "the split is empty"),
    "sorted": ((X, np.arange(14) // 5), "sorted from 0 to 2: .*Shuffle x and y"),
    "sorted down": ((X, 9 - np.arange(14) // 5), "sorted from 9 to 7"),
    "nearly sorted": ((X, np.r_[1, 0, 1:13]), "Shuffle data that are sorted by class"),
    "masked": ((np.ma.masked_less(X * Y[:, None], 1), Y), "found one with 20 masked"),
    "masked labels": ((X, np.ma.masked_equal(Y, 2)), "found one with 4 masked"),
    "signs": ((X, Y % 2 * 2 - 1), "found -1 at example .*numpy.unique"),
    "a name": ("arrays (9 + 1 + 1 examples of 4, 0123456789abcdef)", "in no file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays(case):
    given, message = BAD[case]
    with pytest.raises(DatasetError, match=message):
        datasets.load(given)


@pytest.fixture
def script():
    """The script of the default run; tests/long has both."""
    return "sgd"


def test_training_is_that_of_a_file(
    script, tiny_arrays, tiny_npz, tmp_path, monkeypatch
):
    train = in_folder(script, tiny_npz, tmp_path, monkeypatch)
    train()
    parameters, metadata = saved("best_model.pkl")
    given = three(*tiny_arrays)
    before = [(x.copy(), y.copy()) for x, y in given]
    result = TRAININGS[script](given)
    np.testing.assert_equal(given, before)
    assert result.dataset is given

    found, found_metadata = saved("best_model.pkl")
    assert found == parameters
    fingerprint = datasets.fingerprint(datasets.load(tiny_npz, dtype="uint8"))
    assert found_metadata == metadata | {"dataset": f"arrays ({fingerprint})"}


def check_resumed_on_arrays(script, x, y, tmp_path, monkeypatch, capsys):
    train = in_folder(script, three(x, y), tmp_path, monkeypatch)
    again = {DATASET[script]: three(x.copy(), y.copy())}
    check_resumed(train, functools.partial(resume, script, **again), MIDDLE, capsys)


def test_resumed_run_is_the_unbroken_one(tiny_arrays, tmp_path, monkeypatch, capsys):
    check_resumed_on_arrays("sgd", *tiny_arrays, tmp_path, monkeypatch, capsys)


def test_resume_without_the_arrays_or_with_others(
    tiny_arrays, tiny_npz, tmp_path, monkeypatch, capsys
):
    train = in_folder("sgd", three(*tiny_arrays), tmp_path, monkeypatch)
    cut_off(train, MIDDLE)
    name = r"arrays \(100 \+ 20 \+ 30 examples of 12, [0-9a-f]{16}\)"
    with pytest.raises(DatasetError, match=f"{name}: these arrays came from a program"):
        resume("sgd")
    capsys.readouterr()
    assert logistic_sgd.main(["--resume", "run.ckpt"]) == 1
    out, error = capsys.readouterr()
    assert out == "" and re.search(rf"error: {name}: .*\n\Z", error)

    x, y = tiny_arrays
    with pytest.raises(CheckpointError, match=rf"is {name}, in the checkpoint {name}."):
        resume("sgd", dataset=three(x ^ np.eye(150, 12, dtype=np.uint8), y))
    assert resume("sgd", dataset=tiny_npz).n_epochs == 6  # the same data in a file


def test_evaluation_and_page(tiny_arrays, tiny_splits, tmp_path, monkeypatch):
    train = in_folder("sgd", three(*tiny_arrays), tmp_path, monkeypatch)
    evaluation = evaluate(train())
    np.testing.assert_array_equal(evaluation.scaled(slice(None)), tiny_splits[2][0])
    title = "Logistic regression on arrays (100 + 20 + 30 examples of 12, "
    assert f"<title>{title}" in page.render(evaluation, "my program")
