"""Functions of many numbers as the C backend computes them, against NumPy and SciPy."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from conftest import needs_compiler
from scipy.special import expit

from utils.backends import compilation_mode

pytestmark = needs_compiler
FUNCTIONS = {
    "tanh": (T.tanh, np.tanh),
    "exp": (T.exp, np.exp),
    "log": (T.log, np.log),
    "sigmoid": (T.sigmoid, expit),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_keep_digits_nan_and_infinity(name, dtype):
    """The C library's vector functions are right to 4 units in the last place."""
    symbolic, exact = FUNCTIONS[name]
    x = T.vector("x", dtype=dtype)
    f = pytensor.function([x], symbolic(x), mode=compilation_mode("c"))
    tiny, largest = np.finfo(dtype).tiny, np.finfo(dtype).max
    special = [0, -0.0, np.nan, np.inf, -np.inf, tiny, -tiny, largest, -largest, -700]
    value = np.concatenate([special, np.linspace(-20, 20, 1000), special]).astype(dtype)
    with np.errstate(all="ignore"):
        wide = exact(value.astype("longdouble"))
        expected = wide.astype(dtype)
    found = f(value)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    finite = np.isfinite(expected)
    limit = 5 * np.maximum(np.spacing(np.abs(expected[finite])), tiny)
    error = np.abs(found[finite].astype("longdouble") - wide[finite])
    assert (error <= limit).all()
