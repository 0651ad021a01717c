"""Conjugate gradient in float32, and on JAX."""

import pytest
from conftest import needs_jax
from test_logistic_cg import check_iterations


@pytest.mark.parametrize(
    "floatX, backend",
    [
        pytest.param("float32", "auto", marks=pytest.mark.filterwarnings("error")),
        pytest.param("float64", "jax", marks=needs_jax),
    ],
)
def test_training_takes_the_iterations_of_scipy(
    floatX, backend, tiny_npz, tiny_splits, tmp_path, capsys
):
    model = tmp_path / "m.pkl"
    check_iterations(floatX, tiny_npz, tiny_splits, model, capsys, backend)
