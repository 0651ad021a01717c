"""The fused operations against SciPy: values, labels, shapes, ties.

Numba compiles for many seconds: its are in the long tests.
"""

import numpy as np
import pytest
from fused import TOLERANCES, assert_right, expected, operations, problem, variables
from scipy.special import softmax

from utils.backends.fusion import softmax_regression_errors, softmax_regression_loss

N_OUT = [*range(2, 18), 33, 100, 128]
N_IN = [1, 2, 3, 7, 15, 16, 17, 31, 784]
N = [1, 2, 3, 5, 19, 20, 21, 59, 60, 61, 600, 601]

each_precision = pytest.mark.parametrize("dtype", TOLERANCES)
each_code = pytest.mark.parametrize(
    "linker, dtype", [("c", "float32"), ("c", "float64"), ("py", "float64")]
)


@each_code
def test_values_agree_with_scipy(linker, dtype):
    for i, n_out in enumerate(N_OUT):
        for j, n_in in enumerate(N_IN):
            n = N[(9 * i + j) % len(N)]
            assert_right(linker, dtype, problem(n, n_in, n_out, dtype, seed=n))


def test_other_types_are_refused():
    mixed = [variables("float32")[0], *variables("float64")[1:]]
    others = [variables("float16"), variables("int32"), mixed]
    others += [variables("float64", labels) for labels in ("uint64", "float64", "bool")]
    for inputs in others:
        for op in (softmax_regression_loss, softmax_regression_errors):
            with pytest.raises(TypeError, match="expected .*found"):
                op(*inputs)


@each_code
def test_labels_out_of_range_raise_and_leave_the_function_usable(linker, dtype):
    values = problem(601, 7, 3, dtype)
    for row in (0, 1, 47, 48, 300, 600):
        for label in (3, -4, 2**31 - 1, -(2**31)):
            y = values[3].copy()
            y[row] = label
            with pytest.raises(IndexError, match="out of bounds"):
                operations(linker, dtype)(*values[:3], y)
    assert_right(linker, dtype, values)


@each_code
def test_negative_labels_count_from_the_last_class_except_in_errors(linker, dtype):
    x, W, b, y = problem(61, 7, 3, dtype)
    loss, gW, gb, _ = expected(x, W, b, y)
    assert_right(linker, dtype, (x, W, b, y - 3), (loss, gW, gb, 1.0))


@each_code
def test_shapes_that_do_not_fit_raise(linker, dtype):
    x, W, b, y = problem(20, 7, 3, dtype)
    for values in (
        (x[:19], W, b, y),
        (x[:, 1:].copy(), W, b, y),
        (x, W[1:], b, y),
        (x, W, b[1:], y),
        (x, W, b[:1], y),
        (x, W[:, :0], b[:0], y),
    ):
        message = "not fit|labels for|out of bounds"
        with pytest.raises((IndexError, ValueError), match=message):
            operations(linker, dtype)(*values)


@each_code
def test_empty_minibatch(linker, dtype):
    x, W, b, y = problem(0, 7, 3, dtype)
    loss, gW, gb, errors, *_, p, delta, y_pred = operations(linker, dtype)(x, W, b, y)
    assert np.isnan(loss) and np.isnan(errors)
    assert p.shape == delta.shape == (0, 3) and y_pred.shape == (0,)
    np.testing.assert_array_equal(gW, np.zeros((7, 3), dtype))
    np.testing.assert_array_equal(gb, np.zeros(3, dtype))


@each_code
def test_a_single_class_costs_nothing(linker, dtype):
    outputs = operations(linker, dtype)(*problem(61, 7, 1, dtype))
    for output in outputs[:4]:
        np.testing.assert_allclose(output, 0, atol=TOLERANCES[dtype])


@each_code
def test_small_loss_beside_large_logits_keeps_its_digits(linker, dtype):
    gap = {"float32": 8, "float64": 20}[dtype]
    x, W = np.ones((600, 1), dtype), np.array([[1000, 1000 - gap]], dtype)
    b, y = np.zeros(2, dtype), np.zeros(600, "int32")
    loss, *_ = operations(linker, dtype)(x, W, b, y)
    rtol = {"float32": 1e-3, "float64": 1e-6}[dtype]
    np.testing.assert_allclose(loss, np.log1p(np.exp(-gap)), rtol=rtol)


@each_code
def test_each_probability_is_right_in_itself(linker, dtype):
    """The last class is the likeliest; gb is the softmax minus the label's one."""
    lowest, rtol = {"float32": (-120, 2e-6), "float64": (-800, 1e-13)}[dtype]
    b = np.linspace(lowest, 0, 401).astype(dtype)
    x, W = np.ones((1, 1), dtype), np.zeros((1, 401), dtype)
    outputs = operations(linker, dtype)(x, W, b, np.array([400], "int32"))
    gb, p = outputs[2], outputs[7][0]
    truth = softmax(b.astype("float64"))
    tiny = np.finfo(dtype).tiny  # what is smaller may be zero
    np.testing.assert_allclose(gb[:-1], truth[:-1], rtol=rtol, atol=tiny)
    np.testing.assert_allclose(p, truth, rtol=rtol, atol=tiny)


@each_code
def test_ties_go_to_the_first_class_as_in_numpy(linker, dtype):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (300, 2)).astype(dtype)
    W = np.array([[0, 2, 2, 1], [1, 1, 0, 2]], dtype)
    y = rng.integers(0, 4, 300).astype("int32")
    outputs = operations(linker, dtype)(x, W, np.zeros(4, dtype), y)
    truth = np.argmax(x @ W, axis=1)
    assert outputs[3] == np.mean(truth != y)
    np.testing.assert_array_equal(outputs[-1], truth)


def test_one_example_broadcast_to_many():
    x, W, b, y = problem(61, 19, 10)
    x = np.broadcast_to(x[0], x.shape)
    assert_right("c", "float64", (x, W, b, y))


def test_misaligned_arrays_are_refused_not_misread():
    x, W, b, y = problem(4, 7, 3)
    misaligned = np.frombuffer(b"?" + x.tobytes(), "uint8")[1:].view(x.dtype)
    with pytest.raises(TypeError, match="not aligned"):
        operations("c", "float64")(misaligned.reshape(x.shape), W, b, y)


@each_code
def test_results_outlive_the_next_calls_which_are_equal_bit_for_bit(linker, dtype):
    values = problem(2000, 784, 10, dtype)
    first = operations(linker, dtype)(*values)
    kept = [v.tobytes() for v in first]
    operations(linker, dtype)(*problem(2000, 784, 10, dtype, seed=9))
    second = operations(linker, dtype)(*values)
    assert [v.tobytes() for v in first] == kept == [v.tobytes() for v in second]
