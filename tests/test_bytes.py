"""Images held as bytes: the same numbers as held as floats, to the last bit."""

import fused
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from compiled import Lesson
from fused import mode_of
from scipy.special import softmax

import logistic_sgd
from utils import datasets
from utils.backends.fusion import softmax_regression_errors, softmax_regression_loss
from utils.backends.fusion.c_op import SoftmaxRegression
from utils.backends.fusion.op import softmax_regression_rows


def problem(n, n_in, n_out, dtype):
    """Values of x as bytes, W, b and y."""
    x, *rest = fused.problem(n, n_in, n_out, dtype)
    return (x * 256).astype("uint8"), *rest


def train(images, y, backend, dtype, n_steps=5):
    """Parameters, costs and errors of a few steps of the lesson; its functions."""
    with pytensor.config.change_flags(floatX=dtype):
        lesson = Lesson(images, y, 3, 20, 0.5, mode_of(backend))
    costs = [lesson.train(i) for i in range(n_steps)]
    values = [param.get_value() for param in lesson.params]
    errors = [lesson.validate(i) for i in range(n_steps)]
    return values, costs, errors, (lesson.train, lesson.validate)


def check_training(x, y, backend, dtype):
    """Compare training on bytes with training on floats, to the last bit."""
    floats = (x / 256).astype(dtype)
    of_bytes = train(x, y.astype("int32"), backend, dtype)
    of_floats = train(floats, y.astype("int32"), backend, dtype)
    for found, expected in zip(of_bytes[:3], of_floats[:3], strict=True):
        for a, b in zip(found, expected, strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    return of_bytes[3]


def check_fused(functions):
    """Check that the fused operations take the bytes as they are."""
    for function in functions:
        [node] = [
            node
            for node in function.maker.fgraph.apply_nodes
            if isinstance(node.op, SoftmaxRegression)
        ]
        assert node.inputs[0].dtype == "uint8"


def test_training_on_bytes_is_training_on_floats(tiny_arrays):
    check_fused(check_training(*tiny_arrays, "fused", "float32"))


def test_bytes_over_255_are_divided_before():
    m, pixels = fused.Model("float32"), pt.matrix("pixels", dtype="uint8")
    x, y = (m.values[0] * 256).astype("uint8"), m.values[1]
    p = fused.softmax_of(pt.cast(pixels, "float32") / 255, m.W, m.b)
    outputs = m.with_gradients(m.loss(p))
    function = pytensor.function([pixels, m.y], outputs, mode=mode_of("fused"))
    expected = reference.cost_and_gradients(m.W_value, m.b_value, x / 255, y)
    for found, truth in zip(function(x, y), expected, strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "backend, dtype", [("c", "float32"), ("py", "float32"), ("py", "float64")]
)
def test_the_operations_on_bytes_are_those_of_the_formula(backend, dtype):
    x, W, b, y = problem(61, 66, 10, dtype)
    x, W = x[:, ::2], W[:33]  # not whole rows: copied first
    variables = [
        pt.tensor("x", dtype="uint8", shape=(None, None)),
        pt.tensor("W", dtype=dtype, shape=(None, None)),
        pt.tensor("b", dtype=dtype, shape=(None,)),
        pt.ivector("y"),
    ]
    outputs = [
        *softmax_regression_loss(*variables),
        softmax_regression_errors(*variables),
        softmax_regression_rows(*variables)[3],
    ]
    function = pytensor.function(variables, outputs, mode=mode_of(backend))
    x_real = x.astype("float64") / 256
    expected = [*fused.expected(x_real, W, b, y), softmax(x_real @ W + b, axis=1)]
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    for found, truth in zip(function(x, W, b, y), expected, strict=True):
        np.testing.assert_allclose(found, truth, rtol=tolerance, atol=tolerance / 10)


def test_load_data_gives_bytes_that_were_asked_for(tiny_npz, tiny_arrays):
    (train_x, _), *_ = logistic_sgd.load_data(tiny_npz, dtype="uint8")
    np.testing.assert_array_equal(train_x.get_value(), tiny_arrays[0][:100])
    (train_x, _), *_ = logistic_sgd.load_data(tiny_npz)
    assert train_x.dtype == pytensor.config.floatX


def test_floats_that_are_whole_256ths_become_bytes(tmp_path, tiny_set, tiny_arrays):
    path = tmp_path / "floats.npz"
    floats = {name: tiny_set[name] / 256 for name in ("x_train", "x_test")}
    np.savez(path, **(tiny_set | floats))
    loaded = datasets.load(path, dtype="uint8")
    np.testing.assert_array_equal(np.vstack([x for x, _ in loaded]), tiny_arrays[0])
    # One pixel that is not keeps all of them as they are.
    floats["x_test"][-1, -1, -1] = 0.3
    np.savez(path, **(tiny_set | floats))
    assert all(x.dtype == "float64" for x, _ in datasets.load(path, dtype="uint8"))
