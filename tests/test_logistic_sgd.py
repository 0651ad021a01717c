"""The lesson's model, training and prediction against NumPy and SciPy."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
import reference
from scipy.special import softmax

import logistic_sgd
from logistic_sgd import LogisticRegression, load_data, sgd_optimization_mnist
from utils.backends import compilation_mode
from utils.errors import HyperparameterError


@pytest.fixture
def examples():
    """A classifier of 7 features into 4 classes with random parameters, and a batch."""
    rng = np.random.default_rng(3)
    values = {
        "x": rng.normal(size=(9, 7)),
        "y": rng.integers(0, 4, size=9).astype("int32"),
        "W": rng.normal(size=(7, 4)),
        "b": rng.normal(size=4),
    }
    with pytensor.config.change_flags(floatX="float64"):
        x = T.dmatrix("x")
        classifier = LogisticRegression(x, n_in=7, n_out=4)
    set_parameters(classifier, values)
    return classifier, values


def evaluate(expression, inputs, values):
    function = pytensor.function(inputs, expression, mode=compilation_mode())
    return function(*values)


def set_parameters(classifier, values):
    classifier.W.set_value(values["W"])
    classifier.b.set_value(values["b"])


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_classifier_starts_from_zeros(floatX):
    with pytensor.config.change_flags(floatX=floatX):
        x = T.matrix("x")
        classifier = LogisticRegression(input=x, n_in=5, n_out=3)
    assert classifier.input is x
    assert classifier.params == [classifier.W, classifier.b]
    assert [param.name for param in classifier.params] == ["W", "b"]
    for param, shape in zip(classifier.params, [(5, 3), (3,)], strict=True):
        value = param.get_value()
        assert value.dtype == floatX
        np.testing.assert_array_equal(value, np.zeros(shape))


def test_p_y_given_x_is_softmax(examples, by_python):
    _, values = examples
    with pytensor.config.change_flags(floatX="float32"):
        classifier = LogisticRegression(T.fmatrix("x"), n_in=7, n_out=4)
    values = {name: value.astype("float32") for name, value in values.items()}
    set_parameters(classifier, values)
    expected = softmax(values["x"] @ values["W"] + values["b"], axis=1)
    found, y_pred = evaluate(
        [classifier.p_y_given_x, classifier.y_pred], [classifier.input], [values["x"]]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(y_pred, expected.argmax(axis=1))


def test_negative_log_likelihood_and_gradients(examples):
    classifier, values = examples
    y = T.ivector("y")
    cost = classifier.negative_log_likelihood(y)
    found = evaluate(
        [cost, *T.grad(cost, classifier.params)],
        [classifier.input, y],
        [values["x"], values["y"]],
    )
    expected = reference.cost_and_gradients(
        values["W"], values["b"], values["x"], values["y"]
    )
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-11)


def test_errors_is_the_fraction_of_wrong_predictions(examples):
    classifier, values = examples
    y = T.ivector("y")
    found = evaluate(
        classifier.errors(y), [classifier.input, y], [values["x"], values["y"]]
    )
    expected = reference.error(values["W"], values["b"], values["x"], values["y"])
    assert 0 < expected < 1
    assert found == expected


@pytest.mark.parametrize(
    "y, error, message",
    [(T.imatrix, TypeError, "dimensions"), (T.dvector, NotImplementedError, "float64")],
)
def test_errors_of_what_are_no_labels(examples, y, error, message):
    with pytest.raises(error, match=message):
        examples[0].errors(y())


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_load_data_gives_shared_variables(floatX, tiny_npz, tiny_splits):
    with pytensor.config.change_flags(floatX=floatX):
        splits = load_data(tiny_npz)
    for (x, y), (expected_x, expected_y) in zip(splits, tiny_splits, strict=True):
        assert x.get_value().dtype == floatX
        np.testing.assert_array_equal(x.get_value(), expected_x)
        assert y.dtype == "int32"
        np.testing.assert_array_equal(y.eval(), expected_y)


@pytest.mark.parametrize("floatX, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_training_takes_the_steps_of_numpy(
    floatX, tolerance, tiny_npz, tiny_splits, tmp_path, capsys
):
    path = tmp_path / "model.pkl"
    with pytensor.config.change_flags(floatX=floatX):
        result = sgd_optimization_mnist(
            0.5, n_epochs=6, dataset=tiny_npz, batch_size=10, model=path
        )
    *_, errors = reference.sgd(tiny_splits, 3, 0.5, 6, 10)
    best_epoch = int(np.argmin(errors)) + 1
    W, b, _ = reference.sgd(tiny_splits, 3, 0.5, best_epoch, 10)
    test_error = reference.error(W, b, *tiny_splits[2])

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "... loading data",
        "... building the model",
        "... training the model",
    ]
    assert [line for line in lines if line.startswith("epoch")] == [
        f"epoch {epoch}, minibatch 10/10, validation error {error * 100:f} %"
        for epoch, error in enumerate(errors, start=1)
    ]
    assert (
        f"     epoch {best_epoch}, minibatch 10/10, "
        f"test error of best model {test_error * 100:f} %" in lines
    )
    assert lines[-2] == (
        f"Optimization complete with best validation score of {min(errors) * 100:f} %,"
        f"with test performance {test_error * 100:f} %"
    )
    assert lines[-1].startswith("The code run for 6 epochs, with ")
    assert (result.best_epoch, result.n_epochs) == (best_epoch, 6)
    assert result.best_validation_loss == pytest.approx(min(errors))
    assert result.test_score == pytest.approx(test_error)

    with open(path, "rb") as file:
        saved = pickle.load(file)
    assert type(saved) is logistic_sgd.LogisticRegression
    np.testing.assert_allclose(saved.W.get_value(), W, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(saved.b.get_value(), b, rtol=tolerance, atol=tolerance)
    assert saved.metadata["epoch"] == best_epoch
    assert saved.metadata["floatX"] == floatX


def test_training_minibatch_larger_than_a_split(tiny_npz, tmp_path):
    with pytest.raises(ValueError, match="21 .*validation split, which holds 20"):
        sgd_optimization_mnist(dataset=tiny_npz, batch_size=21)


def test_training_refuses_hyperparameters_before_data_is_read(capsys):
    with pytest.raises(HyperparameterError, match="learning_rate is None: expected"):
        sgd_optimization_mnist(learning_rate=None, dataset="no such file")
    assert capsys.readouterr().out == ""
