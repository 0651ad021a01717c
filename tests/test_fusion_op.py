"""The fused operations against SciPy: values, gradients, labels, layouts, threads."""

import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.mode import Mode
from pytensor.gradient import DisconnectedInputError, NullTypeGradError, verify_grad
from scipy.optimize import check_grad
from scipy.special import softmax

from utils.backends import c_compiler, compilation_mode
from utils.backends.fusion import softmax_regression_errors, softmax_regression_loss
from utils.backends.fusion.c_op import LABELS, SoftmaxRegression

LINKERS = ["c", "cvm", "py"]
NUMBA_TOO = [*LINKERS, "numba"]  # compiles for seconds: for what its code does itself
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
N_OUT = [*range(2, 18), 33, 100, 128]
N_IN = [1, 2, 3, 7, 15, 16, 17, 31, 784]
N = [1, 2, 3, 5, 19, 20, 21, 59, 60, 61, 600, 601]
PYTHON = Mode("py", "fast_run")

each_precision = pytest.mark.parametrize("dtype", TOLERANCES)
each_linker = pytest.mark.parametrize("linker", LINKERS)


def mode_of(linker):
    if linker in ("c", "cvm") and c_compiler.find().error:
        pytest.skip(f"needs a C++ compiler: {c_compiler.find().error}")
    return compilation_mode(linker) if linker in ("c", "numba") else Mode(linker)


def variables(dtype, label_dtype="int32"):
    """Symbolic x, W, b, y."""
    names = zip("xWby", (dtype, dtype, dtype, label_dtype), (2, 2, 1, 1), strict=True)
    return [pt.tensor(v, dtype=d, shape=(None,) * ndim) for v, d, ndim in names]


@cache
def compiled(linker, dtype):
    """A function of x, W, b, y that gives loss, gW, gb and errors."""
    inputs = variables(dtype)
    outputs = [*softmax_regression_loss(*inputs), softmax_regression_errors(*inputs)]
    return pytensor.function(inputs, outputs, mode=mode_of(linker))


def problem(n, n_in, n_out, dtype="float64", seed=0):
    """Values of x, W, b, y: pixels in [0, 1), logits of a few units."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, n_in)).astype(dtype)
    W = (rng.normal(size=(n_in, n_out)) * 3 / np.sqrt(n_in)).astype(dtype)
    y = rng.integers(0, n_out, n).astype("int32")
    return x, W, rng.normal(size=n_out).astype(dtype), y


def expected(x, W, b, y):
    """What `compiled` should give, by NumPy and SciPy in float64."""
    x, W, b = (np.asarray(v, "float64") for v in (x, W, b))
    return *reference.cost_and_gradients(W, b, x, y), reference.error(W, b, x, y)


def assert_close(found, truth, dtype, least=0):
    """Largest difference over largest magnitude is within the precision's tolerance.

    A magnitude below `least` counts as `least`.
    """
    truth = np.asarray(truth)
    assert (found.dtype, found.shape) == (dtype, truth.shape)
    magnitude = np.abs(truth[np.isfinite(truth)]).max(initial=least)
    atol = TOLERANCES[dtype] * magnitude
    np.testing.assert_allclose(found, truth, rtol=0, atol=atol)


def assert_right(linker, dtype, values, truth=None, least=0):
    *found, errors = compiled(linker, dtype)(*values)
    *truth, mistakes = expected(*values) if truth is None else truth
    for output, value in zip(found, truth, strict=True):
        assert_close(output, value, dtype, least)
    assert_close(errors, mistakes, "float64")


@pytest.mark.parametrize("linker", NUMBA_TOO)
@each_precision
def test_values_agree_with_scipy(linker, dtype):
    for i, n_out in enumerate(N_OUT):
        for j, n_in in enumerate(N_IN):
            n = N[(9 * i + j) % len(N)]
            assert_right(linker, dtype, problem(n, n_in, n_out, dtype, seed=n))


@pytest.mark.parametrize("linker", NUMBA_TOO)
@each_precision
def test_batch_sizes_around_chunks_and_shares(linker, dtype):
    for n in [*range(1, 131), 599, 600, 601]:
        assert_right(linker, dtype, problem(n, 19, 10, dtype, seed=n))
        assert_right(linker, dtype, problem(n, 33, 40, dtype, seed=n))


@settings(deadline=None, max_examples=100)
@given(
    n=st.integers(1, 150),
    n_in=st.integers(1, 80),
    n_out=st.integers(2, 40),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    seed=st.integers(0, 2**32),
)
def test_values_agree_with_scipy_for_any_shape(n, n_in, n_out, dtype, seed):
    # Among any problems are some whose terms, up to 1, cancel, or whose loss is tiny.
    assert_right("c", dtype, problem(n, n_in, n_out, dtype, seed), least=0.1)


def test_gradients_agree_with_finite_differences():
    x, W, b, y = problem(50, 5, 3)

    def call(theta):
        parameters = theta[:15].reshape(5, 3), theta[15:]
        loss, gW, gb, _ = compiled("c", "float64")(x, *parameters, y)
        return float(loss), np.append(gW, gb)

    theta = np.append(W, b)
    assert check_grad(lambda t: call(t)[0], lambda t: call(t)[1], theta) < 1e-6


@pytest.mark.parametrize("n_labels", [6, 4])
def test_gradient_of_each_input_is_verified(n_labels):
    *inputs, y = problem(6, 4, 3, seed=1)
    labels = pytensor.shared(y[:n_labels] - 3)  # from the last class

    def loss(x, W, b):
        return 3 * softmax_regression_loss(x, W, b, labels)[0]

    with pytensor.config.change_flags(linker="py"):
        verify_grad(loss, inputs, rng=np.random.default_rng(2))


def test_gradient_of_a_gradient_is_refused():
    x, W, b, y = variables("float64")
    _, gW, _ = softmax_regression_loss(x, W, b, y)
    with pytest.raises(NullTypeGradError):
        pytensor.grad(gW.sum(), W)


def test_errors_have_no_gradient():
    x, W, b, y = variables("float64")
    with pytest.raises(DisconnectedInputError):
        pytensor.grad(softmax_regression_errors(x, W, b, y), W)


@each_precision
def test_shapes_are_inferred_without_the_values(dtype):
    inputs = variables(dtype)
    outputs = [*softmax_regression_loss(*inputs), softmax_regression_errors(*inputs)]
    shapes = [output.shape for output in outputs]
    function = pytensor.function(inputs, shapes, mode=PYTHON, on_unused_input="ignore")
    nodes = function.maker.fgraph.toposort()
    assert not any(isinstance(node.op, SoftmaxRegression) for node in nodes)
    found = [tuple(shape) for shape in function(*problem(4, 7, 3, dtype))]
    assert found == [(), (7, 3), (3,), ()]


@each_precision
def test_static_shapes_are_those_of_the_parameters(dtype):
    W, b = (pt.tensor(dtype=dtype, shape=shape) for shape in ((7, 3), (3,)))
    x, _, _, y = variables(dtype)
    outputs = softmax_regression_loss(x, W, b, y)
    assert [v.type.shape for v in outputs] == [(), (7, 3), (3,)]
    assert {v.type.dtype for v in outputs} == {dtype}


@pytest.mark.parametrize("linker", ["c", "py"])
def test_labels_of_any_integer_type(linker):
    x, W, b, y = problem(70, 7, 100)
    *parameters, _ = variables("float64")
    labels = [pt.vector(dtype=dtype) for dtype in LABELS]
    losses = [softmax_regression_loss(*parameters, label)[0] for label in labels]
    function = pytensor.function(
        [*parameters, *labels], losses, mode=mode_of(linker), on_unused_input="ignore"
    )
    values = [y.astype(dtype) for dtype in LABELS]
    loss, *_ = expected(x, W, b, y)
    np.testing.assert_allclose(function(x, W, b, *values), loss, rtol=1e-12)

    from_the_end = [v if v.dtype.kind == "u" else v - v.dtype.type(100) for v in values]
    np.testing.assert_allclose(function(x, W, b, *from_the_end), loss, rtol=1e-12)

    for i, dtype in enumerate(LABELS):
        for wrong in {100, np.iinfo(dtype).max, np.iinfo(dtype).min} - {0}:
            spoiled = [v.copy() for v in values]
            spoiled[i][69] = wrong
            with pytest.raises(IndexError, match="out of bounds"):
                function(x, W, b, *spoiled)


@pytest.mark.parametrize(
    "dtypes",
    [
        ("float32", "float64", "float32", "int32"),
        ("float16", "float16", "float16", "int32"),
        ("int32", "int32", "int32", "int32"),
        ("float64", "float64", "float64", "uint64"),
        ("float64", "float64", "float64", "float64"),
        ("float64", "float64", "float64", "bool"),
    ],
)
def test_other_types_are_refused(dtypes):
    dims = (2, 2, 1, 1)
    inputs = [pt.tensor(dtype=d, shape=(None,) * n) for d, n in zip(dtypes, dims)]  # noqa: B905
    for op in (softmax_regression_loss, softmax_regression_errors):
        with pytest.raises(TypeError, match="expected .*found"):
            op(*inputs)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_labels_out_of_range_raise_and_leave_the_function_usable(linker):
    values = problem(601, 7, 3, "float32")
    for row in (0, 1, 47, 48, 300, 600):
        for label in (3, -4, 2**31 - 1, -(2**31)):
            y = values[3].copy()
            y[row] = label
            with pytest.raises(IndexError, match="out of bounds"):
                compiled(linker, "float32")(*values[:3], y)
    assert_right(linker, "float32", values)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_negative_labels_count_from_the_last_class_except_in_errors(linker):
    x, W, b, y = problem(61, 7, 3, "float32")
    loss, gW, gb, _ = expected(x, W, b, y)
    assert_right(linker, "float32", (x, W, b, y - 3), (loss, gW, gb, 1.0))


@each_linker
@pytest.mark.parametrize("dtype", ["float64"])
def test_more_labels_than_examples_raise(linker, dtype):
    x, W, b, y = problem(20, 7, 3, dtype)
    with pytest.raises((IndexError, ValueError), match="labels for|out of bounds"):
        compiled(linker, dtype)(x[:19], W, b, y)


@each_linker
@pytest.mark.parametrize("cut", ["x", "W", "b", "b to one"])
def test_shapes_that_do_not_fit_raise(linker, cut):
    x, W, b, y = problem(20, 7, 3, "float64")
    values = {
        "x": (x[:, 1:], W, b, y),
        "W": (x, W[1:], b, y),
        "b": (x, W, b[1:], y),
        "b to one": (x, W, b[:1], y),
    }
    with pytest.raises(ValueError):
        compiled(linker, "float64")(*values[cut])


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_empty_minibatch(linker):
    x, W, b, y = problem(0, 7, 3, "float32")
    loss, gW, gb, errors = compiled(linker, "float32")(x, W, b, y)
    assert np.isnan(loss) and np.isnan(errors)
    np.testing.assert_array_equal(gW, np.zeros((7, 3), "float32"))
    np.testing.assert_array_equal(gb, np.zeros(3, "float32"))


@pytest.mark.parametrize("linker", NUMBA_TOO)
@each_precision
def test_logits_of_a_thousand_stay_finite(linker, dtype):
    x = np.tile(np.array([[1.0], [-1.0], [0.5]], dtype), (20, 1))
    W, b = np.array([[1000, -1000, 0]], dtype), np.zeros(3, dtype)
    y = np.random.default_rng(0).integers(0, 3, 60).astype("int32")
    assert np.isfinite(compiled(linker, dtype)(x, W, b, y)[0])
    assert_right(linker, dtype, (x, W, b, y))


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_a_single_class_costs_nothing(linker):
    outputs = compiled(linker, "float64")(*problem(61, 7, 1))
    for output in outputs:
        np.testing.assert_allclose(output, 0, atol=1e-13)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_small_loss_beside_large_logits_keeps_its_digits(linker):
    x, W = np.ones((600, 1)), np.array([[1000.0, 980.0]])
    loss, *_ = compiled(linker, "float64")(x, W, np.zeros(2), np.zeros(600, "int32"))
    np.testing.assert_allclose(loss, np.log1p(np.exp(-20)), rtol=1e-6)


@pytest.mark.parametrize("linker", NUMBA_TOO)
@pytest.mark.parametrize(
    "dtype, lowest, rtol", [("float32", -120, 2e-6), ("float64", -800, 1e-13)]
)
def test_each_probability_is_right_in_itself(linker, dtype, lowest, rtol):
    """The last class is the likeliest; gb is the softmax minus the label's one."""
    b = np.linspace(lowest, 0, 401).astype(dtype)
    x, W = np.ones((1, 1), dtype), np.zeros((1, 401), dtype)
    *_, gb, _ = compiled(linker, dtype)(x, W, b, np.array([400], "int32"))
    truth = softmax(b.astype("float64"))
    tiny = np.finfo(dtype).tiny  # what is smaller may be zero
    np.testing.assert_allclose(gb[:-1], truth[:-1], rtol=rtol, atol=tiny)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_ties_go_to_the_first_class_as_in_numpy(linker):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (300, 2)).astype("float32")
    W = np.array([[0, 2, 2, 1], [1, 1, 0, 2]], "float32")
    y = rng.integers(0, 4, 300).astype("int32")
    *_, errors = compiled(linker, "float32")(x, W, np.zeros(4, "float32"), y)
    assert errors == np.mean(np.argmax(x @ W, axis=1) != y)


LAYOUTS = {
    "rows reversed": lambda v: np.ascontiguousarray(v[::-1])[::-1],
    "all reversed": lambda v: np.flip(np.ascontiguousarray(np.flip(v))),
    "transposed": np.asfortranarray,
    "a part of wider rows": lambda v: np.concatenate([v, v], -1)[..., : v.shape[-1]],
    "every other element": lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    "every other row": lambda v: np.repeat(v, 2, axis=0)[::2],
    "byte-swapped": lambda v: v.astype(v.dtype.newbyteorder()),
}


@each_linker
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(linker, layout):
    for dtype in TOLERANCES:
        for n, n_in in ((61, 19), (1, 19), (61, 1)):
            values = problem(n, n_in, 10, dtype)
            laid_out = [LAYOUTS[layout](v) for v in values]
            for i in range(4):
                mixed = [*values[:i], laid_out[i], *values[i + 1 :]]
                assert_right(linker, dtype, mixed, expected(*values))
            assert_right(linker, dtype, laid_out, expected(*values))


@each_linker
def test_one_example_broadcast_to_many(linker):
    x, W, b, y = problem(61, 19, 10)
    x = np.broadcast_to(x[0], x.shape)
    assert_right(linker, "float64", (x, W, b, y))


@each_linker
def test_misaligned_arrays_are_refused_not_misread(linker):
    x, W, b, y = problem(4, 7, 3)
    misaligned = np.frombuffer(b"?" + x.tobytes(), "uint8")[1:].view(x.dtype)
    with pytest.raises(TypeError, match="not aligned"):
        compiled(linker, "float64")(misaligned.reshape(x.shape), W, b, y)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_results_outlive_the_next_call(linker):
    values = problem(61, 7, 3, "float32")
    first = compiled(linker, "float32")(*values)
    copies = [v.copy() for v in first]
    compiled(linker, "float32")(*problem(61, 7, 3, "float32", seed=9))
    for kept, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(kept, copy)


@pytest.mark.parametrize("linker", NUMBA_TOO)
def test_two_calls_are_equal_bit_for_bit(linker):
    values = problem(2000, 784, 10, "float32")
    first, second = (compiled(linker, "float32")(*values) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()


THREADED_RUN = """
import hashlib, os
from test_fusion_op import assert_right, compiled, problem
values, function = problem(2000, 784, 10, "float32"), compiled("c", "float32")
before = len(os.listdir("/proc/self/task"))
for _ in range(3):
    outputs = function(*values)
    print(hashlib.sha256(b"".join(v.tobytes() for v in outputs)).hexdigest())
print(1 + len(os.listdir("/proc/self/task")) - before)
assert_right("c", "float32", values)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads there")
def test_runs_with_as_many_threads_are_equal_bit_for_bit():
    compiled("c", "float32")
    if not softmax_regression_loss.c_compile_args():
        pytest.skip("needs a compiler with OpenMP")
    python_path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    counts, runs = (1, 2, 3, 3), []
    for count in counts:
        threads = {"OMP_NUM_THREADS": str(count), "PYTHONPATH": python_path}
        command = [sys.executable, "-c", THREADED_RUN]
        runs.append(
            subprocess.Popen(
                command, env=os.environ | threads, stdout=subprocess.PIPE, text=True
            )
        )
    results = [run.communicate()[0].split() for run in runs]
    assert [run.returncode for run in runs] == [0] * 4
    for count, (*digests, n_threads) in zip(counts, results, strict=True):
        assert n_threads == str(count)
        assert len(set(digests)) == 1
    assert results[2] == results[3]
