"""Images held as bytes, on every backend and in both precisions."""

import pytest
from test_bytes import check_fused, check_operations, check_training


@pytest.mark.parametrize(
    "backend, dtype",
    [("c", "float32"), ("c", "float64"), ("numba", "float32"), ("jax", "float64")],
)
def test_training_on_bytes_is_training_on_floats(tiny_arrays, backend, dtype):
    functions = check_training(*tiny_arrays, backend, dtype)
    if backend != "jax":
        check_fused(functions)


@pytest.mark.parametrize("backend", ["c", "numba", "py"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n, n_in, n_out", [(1, 7, 3), (61, 33, 10), (5, 784, 40)])
def test_the_operations_on_bytes_are_those_of_the_formula(
    backend, dtype, n, n_in, n_out
):
    check_operations(backend, dtype, n, n_in, n_out)
