"""Both scripts as a person runs them: as processes, from another folder."""

import re

from conftest import needs_compiler
from processes import CG, SGD, TINY, published, validation_errors

from utils.training import model_file


def assert_trains_and_predicts(run, folder, *options):
    trained = run(SGD, "--dataset", "digits", "--n-epochs", 3, *options, status=0)
    assert len(validation_errors(trained.stdout)) == 3
    last = trained.stdout.splitlines()[-1]
    assert re.fullmatch(r"The code run for 3 epochs, with \d+\.\d{6} epochs/sec", last)
    assert "arning" not in trained.stderr
    *_, ending, duration = trained.stderr.splitlines()
    assert ending == "... ended in epoch 3: all epochs done"
    assert re.fullmatch(r"The code for file logistic_sgd.py ran for \d+\.\ds", duration)
    assert [path.name for path in folder.iterdir()] == ["best_model.pkl"]

    # The model says that it was trained on digits; 3 epochs know most of ten digits.
    predicted = run(SGD, "--predict", *options, status=0)
    first, labels = predicted.stdout.splitlines()
    assert first == "Predicted values for the first 10 examples in test set:"
    from sklearn.datasets import load_digits

    expected = load_digits().target[1497:1507]
    found = [int(label) for label in labels.strip("[]").split()]
    assert sum(f == e for f, e in zip(found, expected, strict=True)) >= 8


def test_sgd_trains_and_predicts_digits(run, tmp_path):
    assert_trains_and_predicts(run, tmp_path)


def test_cg_trains(run, tmp_path, tiny_npz):
    trained = run(CG, *TINY, tiny_npz, status=0)
    assert len(validation_errors(trained.stdout)) == 2
    assert "arning" not in trained.stderr
    assert "The code for file logistic_cg.py ran for" in trained.stderr
    model = model_file.read(tmp_path / "best_model.pkl")
    assert (model["W"].shape, model["W"].dtype) == ((12, 3), "float64")


@needs_compiler
def test_sgd_imports_only_what_it_uses(run, tiny_npz):
    program = (
        "import sys, logistic_sgd\n"
        "status = logistic_sgd.main(sys.argv[1:])\n"
        "heavy = {'jax', 'matplotlib', 'numba', 'pooch', 'requests', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)), 'scipy.optimize' in sys.modules)\n"
    )
    done = run("-c", program, *TINY, tiny_npz, "--backend", "c", "--quiet", status=0)
    assert done.stdout.splitlines()[-1] == "[] False"
    # Quiet, there is still the tutorial's last line.
    assert re.fullmatch(
        r"The code for file logistic_sgd.py ran for \d+\.\ds\n", done.stderr
    )


def assert_published_figures(printed):
    assert validation_errors(printed) == published("sgd_mnist.csv")
    *_, complete, epochs = printed.splitlines()
    assert complete == (
        "Optimization complete with best validation score of 7.500000 %,"
        "with test performance 7.489583 %"
    )
    assert epochs.startswith("The code run for 74 epochs, with ")


def test_sgd_on_mnist_gives_the_published_figures(run, mnist_folder):
    """In float32, on C where there is a compiler."""
    assert_published_figures(run(SGD, "--dataset", mnist_folder, status=0).stdout)
    program = "from logistic_sgd import predict; predict()"
    predicted = run("-c", program, environment={"LOGREG_DATA": mnist_folder})
    assert predicted.stdout.splitlines()[1] == "[7 2 1 0 4 1 4 9 6 9]"
