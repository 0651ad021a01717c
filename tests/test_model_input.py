"""The examples that a saved model is asked about: which, and how they are taken."""

import re

import numpy as np
import pytensor
import pytest
from small_files import model_bytes

import logistic_sgd
from logistic_sgd import LogisticRegression, predict
from utils import datasets
from utils.datasets import DatasetError
from utils.training import ModelInput, model_file
from utils.training.model_file import ModelFileError

pytestmark = pytest.mark.usefixtures("by_python")

BYTES = np.random.default_rng(1).integers(0, 256, (5, 12), np.uint8)
PIXELS = (BYTES / 256).astype("f4")
IMAGES = BYTES.reshape(5, 3, 4)
W = np.random.default_rng(2).normal(size=(12, 3)).astype("f4")


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Save a model of 12 features with such metadata: m.pkl in the current folder."""
    monkeypatch.chdir(tmp_path)

    def call(**metadata):
        (tmp_path / "m.pkl").write_bytes(model_bytes(W, metadata))

    return call


@pytest.fixture
def rows(save):
    """`ModelInput.rows` for a model with such metadata, and the remarks."""

    def call(images, **metadata):
        save(**metadata)
        remarks = []
        model = model_file.load("m.pkl", LogisticRegression)
        return ModelInput("m.pkl", model, remarks.append).rows(images), remarks

    return call


@pytest.mark.parametrize(
    "images, expected",
    [
        (IMAGES, PIXELS),
        (BYTES.astype(">i8"), PIXELS),
        (IMAGES.tolist(), PIXELS),
        (np.asfortranarray(PIXELS.astype(float).reshape(5, 2, 6)), PIXELS),
        (BYTES > 99, BYTES > 99),
        (IMAGES[0], PIXELS[:1]),
        (PIXELS[0].tolist(), PIXELS[:1]),
        (BYTES[:1], PIXELS[:1]),
        (IMAGES[:0], PIXELS[:0]),
        (PIXELS - np.float32(0.4), PIXELS - np.float32(0.4)),
    ],
)
def test_images_become_rows(images, expected, rows):
    found, remarks = rows(images)
    np.testing.assert_array_equal(found, expected)
    assert (found.shape, found.dtype) == (expected.shape, "float32")
    assert found.flags.c_contiguous and remarks == []


NAN = PIXELS.copy()
NAN[3, 2] = np.nan


@pytest.mark.parametrize(
    "images, error, message",
    [
        (NAN, DatasetError, "images given: .*found nan at example 3, pixel 2"),
        (BYTES.astype(int) - 300, DatasetError, "expected whole-number pixels"),
        ([[1.0] * 12, [1.0]], DatasetError, "found a list that NumPy cannot make one"),
        (["7"] * 12, DatasetError, "expected numbers, found dtype <U1"),
        (BYTES[:, :11], ModelFileError, r"images of shape \(n, 12\), found \(5, 11\)"),
        (BYTES.T, ModelFileError, r"found \(12, 5\)"),
        (5, ModelFileError, r"found \(\)"),
    ],
)
def test_images_that_are_refused(images, error, message, rows):
    with pytest.raises(error, match=message):
        rows(images)


FAR = (
    "... the images given hold values from {:g} to {:g}, and the model was trained on "
    "values from {:g} to {:g}: "
)


@pytest.mark.parametrize(
    "trained, low, high, dtype, scale, far",
    [
        (None, 0, 255, "u1", 256, False),
        (None, 0, 255, "f8", 1, True),
        (None, -1, 1, "f4", 1, True),
        (None, -0.5, 1.5, "f4", 1, False),
        ([-3.0, 5.0], -7, 9, "f4", 1, False),
        ([-3.0, 5.0], -7, 9.5, "f4", 1, True),
        ([-3.0, 5.0], -7, 1e14, "f8", 1, True),
        # Whole numbers are no pixels where those of the training were not.
        ([-3.0, 5.0], 0, 6, "i8", 1, False),
        ([-3.0, 5.0], 0, 255, "u1", 1, True),
    ],
)
def test_values_far_outside_of_the_training_get_a_remark(
    trained, low, high, dtype, scale, far, rows
):
    images = np.full((5, 12), low, dtype)
    images[2, 3] = high
    given = {"feature_range": trained} if trained else {}
    found, remarks = rows(images, **given)
    np.testing.assert_array_equal(found, (images / scale).astype("f4"))
    assert len(remarks) == far
    if far:
        assert remarks[0].startswith(FAR.format(low, high, *trained or (0, 1)))


@pytest.fixture
def answers(tiny_splits):
    """The model's answers to the first ten test examples of the tiny dataset."""
    return (tiny_splits[2][0][:10] @ W).argmax(axis=1)


def test_images_are_predicted_without_a_word(save, tiny_splits, answers, capsys):
    save()
    images = tiny_splits[2][0][:10].tolist()
    np.testing.assert_array_equal(predict("m.pkl", images=images), answers)
    assert capsys.readouterr() == ("", "")


def test_own_dataset_is_the_default(save, tiny_npz, answers, capsys):
    save(dataset=str(tiny_npz))
    np.testing.assert_array_equal(predict("m.pkl"), answers)
    printed = f"Predicted values for the first 10 examples in test set:\n{answers}\n"
    assert capsys.readouterr() == (printed, "")
    # The same file, by another name.
    np.testing.assert_array_equal(predict("m.pkl", tiny_npz.name), answers)
    assert capsys.readouterr().err == ""


def test_own_dataset_that_is_gone(save, tiny_npz, capsys):
    save(dataset=str(tiny_npz))
    tiny_npz.unlink()
    assert logistic_sgd.main(["--predict", "--model", "m.pkl"]) == 1
    out, error = capsys.readouterr()
    expected = f"m.pkl: the dataset .* {tiny_npz}: .*no such file.*name it .--dataset"
    assert out == "" and error.count("\n") == 1 and re.search(expected, error)


def test_another_dataset_is_named(save, tiny_npz, answers, capsys):
    save(dataset="a\x1b[31m.npz")
    line = (
        "... the model was trained on a\\x1b[31m.npz; these are the test examples of "
        f"{tiny_npz}\n"
    )
    np.testing.assert_array_equal(predict("m.pkl", tiny_npz), answers)
    assert capsys.readouterr().err == line
    arguments = ["--predict", "--model", "m.pkl", "--dataset", str(tiny_npz)]
    assert logistic_sgd.main(arguments) == 0
    assert capsys.readouterr().err == line
    assert logistic_sgd.main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_dataset_of_another_size_is_refused(save, capsys):
    save(dataset="mnist.pkl.gz")
    with pytest.raises(ModelFileError, match=r"\(n, 12\), found \(10, 64\)"):
        predict("m.pkl", "digits")
    # 6 x 2 numbers are as many as the model takes, and still no image.
    x, y = np.ones((70, 2)), np.arange(70) % 3
    with pytest.raises(ModelFileError, match=r"found \(6, 2\)"):
        predict("m.pkl", [(x, y), (x, y), (x[:6], y[:6])])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("change", [lambda x: x, lambda x: x / 51 - 1])
def test_arrays_are_known_by_their_fingerprint(change, save, tiny_arrays, capsys):
    x, y = tiny_arrays
    x = change(x)
    with pytensor.config.change_flags(floatX="float32"):
        splits = logistic_sgd.load_data((x, y), dtype="uint8")
    values = [[variable.get_value() for variable in pair] for pair in splits]
    name = f"arrays ({datasets.fingerprint(values)})"
    save(dataset=name, feature_range=[-1.0, 4.0])
    expected = values[2][0][:10] / (256 if x.dtype == "uint8" else 1) @ W
    np.testing.assert_array_equal(predict("m.pkl", (x, y)), expected.argmax(axis=1))
    assert capsys.readouterr().err == ""
    predict("m.pkl", (x[1:], y[1:]))
    assert f"... the model was trained on {name}; these" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="m.pkl: .*came from a program.*--dataset"):
        predict("m.pkl")


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # Python's, not C's
def test_weights_that_give_no_answer(tmp_path, tiny_npz, capsys):
    """Each can be a float32, and no sum of them: infinite scores less each other."""
    (tmp_path / "m.pkl").write_bytes(model_bytes(np.full((12, 3), 3e38, "f4"), {}))
    arguments = ["--dataset", str(tiny_npz), "--model", str(tmp_path / "m.pkl")]
    assert logistic_sgd.main(["--predict", *arguments]) == 1
    out, error = capsys.readouterr()
    assert "m.pkl: expected probabilities of each class, found nan: " in error
    assert out == "" and error.count("\n") == 2 and "Traceback" not in error


@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "x" * 5000])
def test_strangers_name_that_is_none(name, save, tiny_npz):
    save(dataset=name)
    with pytest.raises(ModelFileError, match=r"found none: name one \(--dataset"):
        predict("m.pkl")
    remarks = []
    model = model_file.load("m.pkl", LogisticRegression)
    ModelInput("m.pkl", model, remarks.append).test_examples(tiny_npz)
    assert "trained on a dataset that it does not name; these" in remarks[0]
