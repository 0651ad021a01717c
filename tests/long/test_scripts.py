"""Both scripts as processes: each backend and precision, on digits and on MNIST."""

import re

import pytest
from conftest import BACKENDS, needs_compiler, needs_jax
from processes import CG, published, validation_errors
from test_scripts import assert_published_figures, assert_trains_and_predicts


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_sgd_trains_and_predicts_digits(run, tmp_path, backend):
    assert_trains_and_predicts(run, tmp_path, "--backend", backend)


@pytest.mark.parametrize(
    "backend, floatX",
    [
        pytest.param("c", "float64", marks=needs_compiler),
        ("numba", "float32"),
        ("numba", "float64"),
        pytest.param("jax", "float32", marks=needs_jax),
    ],
)
def test_sgd_on_mnist_gives_the_published_figures(run, mnist_folder, backend, floatX):
    """The default run has C in float32."""
    options = "--backend", backend, "--floatX", floatX
    assert_published_figures(run, mnist_folder, *options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cg_on_mnist_gives_the_published_figures(run, mnist_folder, backend):
    done = run(CG, "--dataset", mnist_folder, "--backend", backend, status=0)
    found = [float(error) for error in validation_errors(done.stdout)]
    expected = [float(error) for error in published("cg_mnist_float64.csv")]
    assert found == pytest.approx(expected, abs=0.03)
    assert done.stdout.splitlines()[-1] == (
        "Optimization complete with best validation score of 7.312500 %, "
        "with test performance 7.416667 %"
    )


def test_cg_on_mnist_in_float32(run, mnist_folder):
    done = run(CG, "--dataset", mnist_folder, "--floatX", "float32", status=0)
    assert "arning" not in done.stderr
    figures = re.findall(r"(\d+\.\d{6}) %", done.stdout.splitlines()[-1])
    found = [float(figure) for figure in figures]
    assert found == pytest.approx([7.32, 7.42], abs=0.05)
