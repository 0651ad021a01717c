"""best_model.pkl: what it holds, who can read it, and what is refused."""

import pickle

import numpy as np
import pytest
from small_files import model_bytes, saved_bytes

from logistic_sgd import LogisticRegression
from utils.training import model_file
from utils.training.model_file import ModelFileError


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "best_model.pkl"
    W = np.arange(12, dtype="float32").reshape(4, 3)
    path.write_bytes(model_bytes(W, {"dataset": "digits", "epoch": 2}, b=[1, 2, 3]))
    return path


def test_load_gives_back_parameters_and_metadata(saved):
    loaded = model_file.load(saved, LogisticRegression)
    assert type(loaded) is LogisticRegression
    np.testing.assert_array_equal(loaded.W.get_value(), np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(loaded.b.get_value(), [1, 2, 3])
    assert loaded.W.get_value().dtype == "float32"
    expected = {"n_in": 4, "n_out": 3, "floatX": "float32"}
    expected |= {"dataset": "digits", "epoch": 2}
    assert expected.items() <= loaded.metadata.items()
    assert loaded.metadata["versions"]["numpy"] == np.__version__


def test_plain_pickle_reads_it_in_another_process_and_folder(run, saved):
    program = (
        "import pickle, sys\n"
        "model = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(model.input, model.y_pred.ndim, [p.get_value().sum() for p in"
        " model.params])\n"
    )
    read = run("-c", program, saved)
    assert read.stdout == "x 1 [np.float32(66.0), np.float32(6.0)]\n", read.stderr


def test_file_names_arrays_and_one_class_only(saved):
    names = []

    class Spy(pickle.Unpickler):
        def find_class(self, module, name):
            names.append(f"{module}.{name}")
            return super().find_class(module, name)

    with open(saved, "rb") as file:
        Spy(file).load()
    assert names == [
        "logistic_sgd.LogisticRegression",
        "numpy._core.multiarray._reconstruct",
        "numpy.ndarray",
        "numpy.dtype",
    ]


def test_load_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read .*python logistic_sgd.py"):
        model_file.load(tmp_path / "missing.pkl", LogisticRegression)


GOOD_W, GOOD_b = np.zeros((4, 3), "float32"), np.zeros(3, "float32")


@pytest.mark.parametrize(
    "state, found",
    [
        ({"W": None, "b": GOOD_b, "metadata": {}}, "no W that is a ndarray"),
        ({"W": GOOD_W, "b": GOOD_b}, "no metadata"),
        ({"W": GOOD_W, "b": np.zeros(4, "float32"), "metadata": {}}, r"\(4,\)"),
        ({"W": np.zeros((4, 0)), "b": np.zeros(0), "metadata": {}}, r"\(4, 0\)"),
        ({"W": GOOD_W.astype(int), "b": GOOD_b, "metadata": {}}, "int64"),
        ({"W": GOOD_W, "b": GOOD_b + np.nan, "metadata": {}}, "NaN"),
        *[
            ({"W": GOOD_W, "b": GOOD_b, "metadata": {name: value}}, f"'{name}' no run")
            for name, value in [
                *[("dataset", None), ("dataset", 7), ("trained_by", ["a"])],
                *[("batch_size", 0), ("batch_size", 1.5), ("epoch", -1), ("step", 0)],
                *[("test_error", "low"), ("validation_error", 1e300)],
                *[("learning_rate", np.nan), ("shuffle", 2**128), ("versions", "3")],
                *[("feature_range", r) for r in ("?", [1.0], [0, 1], [5.0, -3.0])],
                *[("feature_range", [0.0, np.inf]), ("feature_range", [np.nan] * 2)],
            ]
        ],
        ({"W": GOOD_W, "b": GOOD_b, "metadata": {"n_in": 5}}, "other sizes than W"),
    ],
)
def test_load_checks_the_parameters(tmp_path, state, found):
    path = tmp_path / "m.pkl"
    path.write_bytes(saved_bytes(state))
    with pytest.raises(ModelFileError, match=found):
        model_file.load(path, LogisticRegression)
