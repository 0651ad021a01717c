"""Both scripts with each backend and precision, on digits and on MNIST."""

import re

import pytest
from conftest import BACKENDS, needs_compiler, needs_jax
from processes import published, validation_errors
from test_scripts import assert_published_figures, assert_trains_and_predicts

import logistic_cg
import logistic_sgd


@needs_jax
def test_sgd_trains_and_predicts_digits(run, tmp_path):
    """Numba as a process is in `test_environment.py`, where warnings are errors."""
    assert_trains_and_predicts(run, tmp_path, "--backend", "jax")


@pytest.fixture
def main(mnist_folder, tmp_path, monkeypatch, capsys):
    """Run a script on MNIST in a folder of its own; what it prints on both streams."""
    monkeypatch.chdir(tmp_path)

    def call(script, *options):
        assert script.main(["--dataset", str(mnist_folder), *options]) == 0
        return capsys.readouterr()

    return call


@pytest.mark.parametrize(
    "backend, floatX",
    [
        pytest.param("c", "float64", marks=needs_compiler),
        ("numba", "float32"),
        ("numba", "float64"),
        pytest.param("jax", "float32", marks=needs_jax),
    ],
)
def test_sgd_on_mnist_gives_the_published_figures(main, backend, floatX):
    """The default run has C in float32."""
    printed, _ = main(logistic_sgd, "--backend", backend, "--floatX", floatX)
    assert_published_figures(printed)
    same = ["--backend", backend] if floatX == "float32" else []
    predicted, _ = main(logistic_sgd, "--predict", *same)
    assert predicted.splitlines()[1] == "[7 2 1 0 4 1 4 9 6 9]"


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_cg_on_mnist_gives_the_published_figures(main, backend):
    printed, _ = main(logistic_cg, "--backend", backend)
    found = [float(error) for error in validation_errors(printed)]
    expected = [float(error) for error in published("cg_mnist_float64.csv")]
    assert found == pytest.approx(expected, abs=0.03)
    assert printed.splitlines()[-1] == (
        "Optimization complete with best validation score of 7.312500 %, "
        "with test performance 7.416667 %"
    )


@pytest.mark.filterwarnings("error")
def test_cg_on_mnist_in_float32(main):
    printed, remarks = main(logistic_cg, "--floatX", "float32")
    assert "arning" not in remarks
    figures = re.findall(r"(\d+\.\d{6}) %", printed.splitlines()[-1])
    found = [float(figure) for figure in figures]
    assert found == pytest.approx([7.32, 7.42], abs=0.05)
