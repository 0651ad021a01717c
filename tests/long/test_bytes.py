"""Images held as bytes, on every backend and in both precisions."""

import pytest
from test_bytes import check_fused, check_training


@pytest.mark.parametrize(
    "backend, dtype",
    [("c", "float32"), ("c", "float64"), ("numba", "float32"), ("jax", "float64")],
)
def test_training_on_bytes_is_training_on_floats(tiny_arrays, backend, dtype):
    functions = check_training(*tiny_arrays, backend, dtype)
    if backend != "jax":
        check_fused(functions)
