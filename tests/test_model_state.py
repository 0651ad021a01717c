"""Models of a reader's own class: saved as arrays and plain values, and built again."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from pytensor.compile.mode import Mode

from logistic_sgd import LogisticRegression
from utils.training import model_file, model_state
from utils.training.model_file import ModelFileError

pytestmark = pytest.mark.usefixtures("by_python")  # also for graphs within the graph


class Layered:
    """What the tutorials' classes have, and no more; `scale` is no attribute."""

    def __init__(self, rng, input, n_in, n_hidden, n_out, activation=T.tanh, scale=1):
        self.input, self.n_hidden = input, n_hidden
        W = rng.uniform(size=(n_in, n_hidden)).astype(pytensor.config.floatX)
        self.W = pytensor.shared(W)
        hidden = activation(scale * T.dot(input, self.W))
        self.top = LogisticRegression(hidden, n_hidden, n_out)
        self.params = [self.W, *self.top.params]
        self.y_pred = self.top.y_pred


class Forgetful(Layered):
    """`params` lack the hidden layer's."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.params = self.top.params


def layered(cls=Layered, **changed):
    sizes = {"n_in": 4, "n_hidden": 5, "n_out": 3} | changed
    with pytensor.config.change_flags(floatX="float32"):
        model = cls(np.random.RandomState(2), T.matrix("images"), *sizes.values())
        model.top.W.set_value(np.arange(15, dtype="float32").reshape(5, 3) % 7 - 3)
    return model


def save(model, path):
    with pytensor.config.change_flags(floatX="float32"):
        parts = model_state.own_parts(model, n_in=4, n_out=3)
        model.metadata = model_file.describe(4, 3, {"dataset": "digits"})
    path.write_bytes(model_file.dumps(model_state.state_of(model, parts)))
    return path


@pytest.fixture
def path(tmp_path):
    return save(layered(), tmp_path / "m.pkl")


def test_model_that_would_be_large_is_refused(path, one_gibibyte):
    state = model_file.read(path)
    state["arguments"] |= {"n_in": 20_000, "n_hidden": 20_000}  # 3 GB of weights
    path.write_bytes(pickle.dumps(state))
    with pytest.raises(ModelFileError, match="arguments other than"):
        model_file.load(path, Layered)


def test_loaded_model_predicts_as_the_saved_one(path):
    """In a process of another precision; NumPy computes what it should say."""
    loaded = model_file.load(path, Layered)
    assert loaded.metadata["dataset"] == "digits" and loaded.n_hidden == 5
    outputs = [loaded.y_pred, loaded.p_y_given_x]
    predict = pytensor.function([loaded.input], outputs, mode=Mode("py", None))
    x = np.random.default_rng(1).normal(size=(9, 4)).astype("float32")
    hidden = np.tanh(x @ np.random.RandomState(2).uniform(size=(4, 5)))
    scores = np.exp(hidden @ (np.arange(15).reshape(5, 3) % 7 - 3))
    y_pred, p = predict(x)
    np.testing.assert_allclose(p, scores / scores.sum(axis=1)[:, None], 1e-5)
    np.testing.assert_array_equal(y_pred, scores.argmax(axis=1))


def test_file_is_a_plain_dict_of_arrays(path):
    saved = pickle.loads(path.read_bytes())
    assert type(saved) is dict and saved["class"] == "Layered"
    assert saved["script"] == "test_model_state.py"
    assert saved["arguments"] == {"n_in": 4, "n_hidden": 5, "n_out": 3}
    assert [value.shape for value in saved["params"]] == [(4, 5), (5, 3), (3,)]


@pytest.mark.parametrize(
    "cls, arguments, message",
    [
        (LogisticRegression, {}, "the class LogisticRegression, found one of "
         "'Layered' that 'test_model_state.py' saved"),
        (Layered, {"activation": T.sigmoid}, "Sigmoid .*instead of Tanh"),
        (Layered, {"scale": 2}, "found .* instead of"),
        (Layered, {"n_hidden": "6"}, "fails .*give load"),
        (Layered, {"n_hidden": 6}, r"\(4, 6\).* instead of .*\(4, 5\)"),
    ],
)  # fmt: skip
def test_model_that_would_predict_otherwise_is_refused(path, cls, arguments, message):
    with pytest.raises(ModelFileError, match=message):
        model_file.load(path, cls, **arguments)


def test_lessons_model_is_none_of_a_readers_class(tmp_path):
    with pytensor.config.change_flags(floatX="float32"):
        lesson = LogisticRegression(T.matrix("x"), 4, 3)
    save(lesson, tmp_path / "m.pkl")
    assert type(model_file.load(tmp_path / "m.pkl", LogisticRegression)).__name__
    with pytest.raises(ModelFileError, match="'logistic_sgd.py' saved"):
        model_file.load(tmp_path / "m.pkl", Layered)


def test_argument_that_the_file_does_not_hold_is_asked_for(tmp_path):
    model = layered()
    del model.n_hidden
    path = save(model, tmp_path / "m.pkl")
    with pytest.raises(ModelFileError, match="n_hidden of Layered.*self.n_hidden"):
        model_file.load(path, Layered)
    assert model_file.load(path, Layered, n_hidden=5).params


def test_model_that_cannot_be_saved_whole_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="params to hold all.*add it"):
        save(layered(Forgetful), tmp_path / "m.pkl")
    model = layered()
    del model.y_pred
    with pytest.raises(ModelFileError, match="found no y_pred"):
        save(model, tmp_path / "m.pkl")


@pytest.mark.parametrize(
    "part, value",
    [
        ("params", [np.zeros(3), "W"]),
        ("params", [np.full((4, 5), np.nan)]),
        ("params", np.zeros(3)),
        ("class", 5),
        ("arguments", {"n_hidden": np.zeros(3)}),
        ("metadata", {"floatX": "int8", "n_in": 4, "n_out": 3, "versions": {}}),
        ("graph", None),
        ("metadata", {"floatX": "float32", "n_in": 4, "n_out": 3}),
    ],
)
def test_parts_out_of_place_are_refused(path, part, value):
    saved = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(saved | {part: value}))
    with pytest.raises(ModelFileError, match="m.pkl: expected"):
        model_file.load(path, Layered)


@pytest.mark.parametrize(
    "part, changed, found",
    [
        ("metadata", {"n_in": 7}, "gives an example of 7 values probabilities"),
        ("metadata", {"n_out": 9}, r"of shape \(1, 9\), found \(1, 3\)"),
        ("metadata", {"n_in": 2**40}, "'n_in' no run has"),
        ("metadata", {"versions": []}, "'versions' no run has"),
        ("arguments", {"n_hidden": 2**20}, "text and numbers up to 65536"),
        ("arguments", {"n_hidden": [5, 2**20]}, "text and numbers up to 65536"),
        ("params", [np.zeros((4, 5)), np.zeros((5, 3)), np.zeros(3)], "32 .* float64"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(path, part, changed, found):
    saved = pickle.loads(path.read_bytes())
    value = saved[part] | changed if isinstance(changed, dict) else changed
    path.write_bytes(pickle.dumps(saved | {part: value}))
    with pytest.raises(ModelFileError, match=found):
        model_file.load(path, Layered)
