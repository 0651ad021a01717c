"""Both scripts as a person runs them: as processes, from another folder."""

import csv
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import REPOSITORY

from utils.backends import c_compiler

PUBLISHED = Path(__file__).parent / "published"
BACKENDS = [
    pytest.param(
        "c",
        marks=pytest.mark.skipif(
            bool(c_compiler.find().error),
            reason=f"needs a C++ compiler: {c_compiler.find().error}",
        ),
    ),
    "numba",
    pytest.param(
        "jax",
        marks=pytest.mark.skipif(
            find_spec("jax") is None, reason="needs the extra `jax`"
        ),
    ),
]


@pytest.fixture
def run(tmp_path):
    """Run Python with arguments in an empty folder; flags of the caller not kept."""

    def call(*arguments, **environment):
        kept = {k: v for k, v in os.environ.items() if k != "LOGREG_DATA"}
        flags = kept.pop("PYTENSOR_FLAGS", "")
        # Of the caller's flags only the place of the compile cache matters here.
        place = [flag for flag in flags.split(",") if "compiledir" in flag]
        kept["PYTENSOR_FLAGS"] = ",".join(place)
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=kept | environment,
        )

    return call


SGD, CG = REPOSITORY / "logistic_sgd.py", REPOSITORY / "logistic_cg.py"


def validation_errors(output):
    return re.findall(r"validation error (\d+\.\d{6}) %", output)


def published(name):
    with open(PUBLISHED / name) as file:
        return [row["validation_error_percent"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_sgd_trains_and_predicts_digits(run, tmp_path, backend):
    trained = run(SGD, "--dataset", "digits", "--n-epochs", 3, "--backend", backend)
    assert trained.returncode == 0, trained.stderr
    lines = trained.stdout.splitlines()
    assert lines[:3] == [
        "... loading data",
        "... building the model",
        "... training the model",
    ]
    assert re.fullmatch(
        r"epoch 1, minibatch 59/59, validation error \d+\.\d{6} %", lines[3]
    )
    assert re.fullmatch(
        r" {5}epoch 1, minibatch 59/59, test error of best model \d+\.\d{6} %", lines[4]
    )
    assert re.fullmatch(
        r"Optimization complete with best validation score of \d+\.\d{6} %,"
        r"with test performance \d+\.\d{6} %",
        lines[-2],
    )
    assert re.fullmatch(
        r"The code run for 3 epochs, with \d+\.\d{6} epochs/sec", lines[-1]
    )
    assert "arning" not in trained.stderr
    assert re.search(
        r"^The code for file logistic_sgd.py ran for \d+\.\ds$", trained.stderr, re.M
    )
    assert [path.name for path in tmp_path.iterdir()] == ["best_model.pkl"]

    # The model says that it was trained on digits; 3 epochs know most of ten digits.
    predicted = run(SGD, "--predict", "--backend", backend)
    assert predicted.returncode == 0, predicted.stderr
    first, labels = predicted.stdout.splitlines()
    assert first == "Predicted values for the first 10 examples in test set:"
    from sklearn.datasets import load_digits

    expected = load_digits().target[1497:1507]
    found = [int(label) for label in labels.strip("[]").split()]
    assert sum(f == e for f, e in zip(found, expected, strict=True)) >= 8


def test_cg_trains_on_digits_and_predict_reads_its_model(run):
    trained = run(CG, "--dataset", "digits", "--n-epochs", 5)
    assert trained.returncode == 0, trained.stderr
    assert len(validation_errors(trained.stdout)) == 5
    assert "arning" not in trained.stderr
    assert "The code for file logistic_cg.py ran for" in trained.stderr
    program = "import logistic_sgd; logistic_sgd.predict()"
    predicted = run("-c", program, PYTHONPATH=str(REPOSITORY))
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 2


@pytest.mark.parametrize("script", [SGD, CG])
def test_quiet_keeps_the_lines_of_the_tutorial(run, script):
    quiet = run(script, "--dataset", "digits", "--n-epochs", 1, "--quiet")
    assert quiet.returncode == 0
    assert quiet.stdout.splitlines()[0] == "... loading data"
    assert re.fullmatch(
        rf"The code for file {script.name} ran for \d+\.\ds\n", quiet.stderr
    )


@pytest.mark.parametrize("script", [SGD, CG])
def test_two_runs_save_the_same_parameters(run, tmp_path, script):
    for name in ("first.pkl", "second.pkl"):
        done = run(script, "--dataset", "digits", "--n-epochs", 2, "--model", name)
        assert done.returncode == 0, done.stderr
    first, second = tmp_path / "first.pkl", tmp_path / "second.pkl"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("script", [SGD, CG])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--dataset", "missing.pkl.gz"], "missing.pkl.gz"),
        (["--dataset", "digits", "--batch-size", "301"], "301 .* holds 300"),
        (["--dataset", "digits", "--batch-size", "0"], "batch_size is 0"),
        (["--dataset", "digits", "--n-epochs", "0"], "n_epochs is 0"),
    ],
)
def test_bad_input_is_one_line_and_status_1(run, script, arguments, message):
    bad = run(script, *arguments, "--quiet")
    assert bad.returncode == 1
    (line,) = bad.stderr.splitlines()
    assert line.startswith(f"{script.name}: error: ")
    assert re.search(message, line)


def test_model_of_another_shape_than_the_dataset(run, tmp_path, tiny_npz):
    trained = run(SGD, "--dataset", tiny_npz, "--batch-size", 10, "--n-epochs", 1)
    assert trained.returncode == 0, trained.stderr
    bad = run(SGD, "--predict", "--dataset", "digits")
    assert bad.returncode == 1
    (line,) = bad.stderr.splitlines()
    assert re.search(r"best_model.pkl: .*\(n, 12\), found \(10, 64\)", line)


def test_predict_without_a_model(run):
    bad = run(SGD, "--predict", "--dataset", "digits")
    assert bad.returncode == 1
    (line,) = bad.stderr.splitlines()
    assert "best_model.pkl" in line


@pytest.mark.parametrize("backend", BACKENDS[:1])
def test_sgd_imports_only_what_it_uses(run, tiny_npz, backend):
    program = (
        "import sys, logistic_sgd\n"
        "status = logistic_sgd.main(sys.argv[1:])\n"
        "heavy = {'jax', 'matplotlib', 'numba', 'pooch', 'requests', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)), 'scipy.optimize' in sys.modules)\n"
    )
    arguments = ["--dataset", tiny_npz, "--batch-size", 10, "--n-epochs", 1]
    done = run(
        *["-c", program, *arguments, "--backend", backend], PYTHONPATH=str(REPOSITORY)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] False"


@pytest.mark.parametrize("script", [SGD, CG])
def test_help_names_the_options(run, script):
    shown = run(script, "--help")
    assert shown.returncode == 0
    for option in ("--dataset", "--n-epochs", "--batch-size", "--model", "--floatX"):
        assert option in shown.stdout


@pytest.mark.parametrize("floatX", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_sgd_on_mnist_gives_the_published_figures(run, mnist_folder, backend, floatX):
    done = run(SGD, "--dataset", mnist_folder, "--backend", backend, "--floatX", floatX)
    assert done.returncode == 0, done.stderr
    assert validation_errors(done.stdout) == published("sgd_mnist.csv")
    *_, complete, epochs = done.stdout.splitlines()
    assert complete == (
        "Optimization complete with best validation score of 7.500000 %,"
        "with test performance 7.489583 %"
    )
    assert epochs.startswith("The code run for 74 epochs, with ")
    program = "from logistic_sgd import predict; predict()"
    predicted = run(
        "-c", program, PYTHONPATH=str(REPOSITORY), LOGREG_DATA=str(mnist_folder)
    )
    assert predicted.stdout.splitlines()[1] == "[7 2 1 0 4 1 4 9 6 9]"


def test_sgd_on_the_tutorials_own_file(run, mnist_folder):
    path = mnist_folder / "mnist.pkl.gz"
    done = run(SGD, "--dataset", path, "--n-epochs", 2)
    assert done.returncode == 0, done.stderr
    assert validation_errors(done.stdout) == published("sgd_mnist.csv")[:2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_cg_on_mnist_gives_the_published_figures(run, mnist_folder, backend):
    done = run(CG, "--dataset", mnist_folder, "--backend", backend)
    assert done.returncode == 0, done.stderr
    found = [float(error) for error in validation_errors(done.stdout)]
    expected = [float(error) for error in published("cg_mnist_float64.csv")]
    assert found == pytest.approx(expected, abs=0.03)
    assert done.stdout.splitlines()[-1] == (
        "Optimization complete with best validation score of 7.312500 %, "
        "with test performance 7.416667 %"
    )


def test_cg_on_mnist_in_float32(run, mnist_folder):
    done = run(CG, "--dataset", mnist_folder, "--floatX", "float32")
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    figures = re.findall(r"(\d+\.\d{6}) %", done.stdout.splitlines()[-1])
    found = [float(figure) for figure in figures]
    assert found == pytest.approx([7.32, 7.42], abs=0.05)
