"""The fused operations compiled, problems for them, and their results by SciPy."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from pytensor.compile.mode import Mode

from utils.backends import c_compiler, compilation_mode
from utils.backends.fusion import softmax_regression_errors, softmax_regression_loss

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


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
    """The results of `compiled`, by NumPy and SciPy in float64."""
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
