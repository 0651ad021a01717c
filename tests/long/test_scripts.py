"""Both scripts as processes: each backend and precision, and bad input."""

import re

import pytest
from conftest import BACKENDS
from processes import CG, SCRIPTS, error_line, published, validation_errors
from test_scripts import assert_published_figures, assert_trains_and_predicts


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_sgd_trains_and_predicts_digits(run, tmp_path, backend):
    assert_trains_and_predicts(run, tmp_path, "--backend", backend)


@pytest.mark.parametrize("script", SCRIPTS)
def test_bad_input_is_one_line_and_status_1(run, script):
    line = error_line(run(script, "--n-epochs", "0", "--quiet"))
    assert line.startswith(f"{script}: error: n_epochs is 0")


@pytest.mark.parametrize("floatX", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_sgd_on_mnist_gives_the_published_figures(run, mnist_folder, backend, floatX):
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
