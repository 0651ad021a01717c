"""The lesson's model, training and prediction against NumPy and SciPy."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
import reference
from scipy.special import softmax

import logistic_sgd
from logistic_sgd import LogisticRegression, load_data, predict, sgd_optimization_mnist
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


def test_stacked_on_a_hidden_layer_trains_both(examples, by_python):
    _, values = examples
    rng = np.random.default_rng(4)
    with pytensor.config.change_flags(floatX="float64"):
        x, y = T.dmatrix("x"), T.ivector("y")
        hidden_W = pytensor.shared(rng.normal(size=(7, 6)), name="hidden_W")
        classifier = LogisticRegression(T.tanh(T.dot(x, hidden_W)), n_in=6, n_out=4)
        cost = classifier.negative_log_likelihood(y)
        params = [hidden_W, *classifier.params]
        updates = [
            (param, param - 0.5 * gradient)
            for param, gradient in zip(params, T.grad(cost, params), strict=True)
        ]
        train = pytensor.function([x, y], cost, updates=updates)

    # The same steps by hand; tanh' = 1 - tanh^2.
    V, W, b = hidden_W.get_value(), np.zeros((6, 4)), np.zeros(4)
    for _ in range(20):
        hidden = np.tanh(values["x"] @ V)
        expected, g_W, g_b = reference.cost_and_gradients(W, b, hidden, values["y"])
        p = softmax(hidden @ W + b, axis=1)
        p[np.arange(9), values["y"]] -= 1
        g_V = values["x"].T @ (p @ W.T / 9 * (1 - hidden**2))
        V, W, b = V - 0.5 * g_V, W - 0.5 * g_W, b - 0.5 * g_b
        assert train(values["x"], values["y"]) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(hidden_W.get_value(), V, rtol=1e-8)
    np.testing.assert_allclose(classifier.W.get_value(), W, rtol=1e-8)


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


@pytest.fixture
def trained(tiny_npz, tmp_path):
    path = tmp_path / "trained.pkl"
    with pytensor.config.change_flags(floatX="float32"):
        sgd_optimization_mnist(
            0.5, n_epochs=3, dataset=tiny_npz, batch_size=10, model=path
        )
    return path


def predictions(path, x):
    with open(path, "rb") as file:
        saved = pickle.load(file)
    return np.argmax(x @ saved.W.get_value() + saved.b.get_value(), axis=1)


def test_predict_first_ten_of_a_dataset(trained, tiny_npz, tiny_splits, capsys):
    expected = predictions(trained, tiny_splits[2][0][:10])
    capsys.readouterr()
    found = predict(trained, tiny_npz)
    np.testing.assert_array_equal(found, expected)
    assert capsys.readouterr().out == (
        f"Predicted values for the first 10 examples in test set:\n{expected}\n"
    )


def test_predict_images(trained, tiny_splits, capsys):
    x = tiny_splits[2][0]
    capsys.readouterr()
    found = predict(trained, images=x.tolist())
    np.testing.assert_array_equal(found, predictions(trained, x))
    assert capsys.readouterr().out == ""
