"""A new random order each epoch, and runs of a fixed number of steps."""

import functools
import re

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from changed import changed_script
from fixed_steps import check_steps

import logistic_cg
import logistic_sgd
from logistic_sgd import LogisticRegression, sgd_optimization_mnist
from utils.backends import compilation_mode
from utils.errors import HyperparameterError
from utils.training import model_file
from utils.training.example_order import ExampleOrder
from utils.training.hyperparameters import check_hyperparameters


@pytest.fixture
def train(tiny_npz, tmp_path, monkeypatch):
    """Train in the temporary folder on 8 batches of 12, of 100 examples, an epoch."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(
        sgd_optimization_mnist, 0.5, dataset=tiny_npz, batch_size=12
    )


def test_training_takes_the_steps_of_numpy(train, tiny_splits, capsys):
    check_steps("auto", "float32", 1e-5, train, tiny_splits, capsys)


def test_shuffled_minibatch_is_fused():
    x, y, index = T.fmatrix("x"), T.ivector("y"), T.lscalar("index")
    data = pytensor.shared(np.zeros((9, 5), "float32"))
    labels = pytensor.shared(np.zeros(9, "int32"))
    rows = ExampleOrder(0, 9).rows(slice(index * 3, (index + 1) * 3))
    with pytensor.config.change_flags(floatX="float32"):
        classifier = LogisticRegression(x, n_in=5, n_out=4)
        cost = classifier.negative_log_likelihood(y)
        function = pytensor.function(
            [index],
            [cost, *T.grad(cost, classifier.params)],
            givens={x: data[rows], y: labels[rows]},
            mode=compilation_mode(),
        )
    ops = [type(node.op).__name__ for node in function.maker.fgraph.apply_nodes]
    assert ops.count("SoftmaxRegressionLoss") == 1
    assert not {"Dot", "Softmax", "LogSoftmax"} & set(ops)


def test_order_of_an_epoch_is_the_permutation_drawn_for_it():
    rng = np.random.default_rng(3)
    drawn = [rng.permutation(50) for _ in range(4)]
    order = ExampleOrder(3, 50)
    for epoch in (1, 2, 2, 4):
        order.set_epoch(epoch)
        np.testing.assert_array_equal(order.order.get_value(), drawn[epoch - 1])


def test_order_of_the_file_is_the_slice_itself():
    order, minibatch = ExampleOrder(None, 50), slice(10, 20)
    order.set_epoch(1)
    assert order.rows(minibatch) is minibatch


def test_without_n_steps_patience_and_the_best_model_decide(train, tmp_path, capsys):
    changes = ("run.patience = 5000", "run.patience = 19"), ("old = 0.995", "old = 0")
    sgd = changed_script(tmp_path, *changes).sgd_optimization_mnist
    result = sgd(*train.args, **train.keywords, shuffle=1)
    assert result.n_epochs == 3
    out, err = capsys.readouterr()
    assert "Optimization complete with best validation score" in out
    assert "accuracy" not in err
    metadata = model_file.read("best_model.pkl")["metadata"]
    assert metadata["shuffle"] == 1
    assert "step" not in metadata


@pytest.mark.parametrize("name, least", [("shuffle", 0), ("n_steps", 1)])
@pytest.mark.parametrize("value", [-1, 2.5, float("nan"), True, "7"])
def test_no_whole_number_is_refused_before_data_is_read(name, least, value, capsys):
    message = f"{name} is .*whole number of at least {least}"
    with pytest.raises(HyperparameterError, match=message):
        sgd_optimization_mnist(dataset="no such file", **{name: value})
    assert capsys.readouterr().out == ""


def test_least_values():
    check_hyperparameters(1, 1, 0.1, shuffle=0, n_steps=1)
    with pytest.raises(HyperparameterError, match="n_steps is 0"):
        check_hyperparameters(1, 1, 0.1, n_steps=0)


def test_steps_and_epochs_are_refused_before_data_is_read(capsys):
    with pytest.raises(
        HyperparameterError, match="n_epochs and n_steps are both given"
    ):
        sgd_optimization_mnist(n_epochs=3, n_steps=3, dataset="no such file")
    assert capsys.readouterr().out == ""


def test_options_of_the_script(tiny_npz, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", str(tiny_npz), "--batch-size", "12", "--quiet"]
    status = logistic_sgd.main([*options, "--shuffle", "4", "--n-steps", "9"])
    assert status == 0
    run_time, accuracy = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"The model after step 9 has accuracy [01]\.\d{4} over all 30 test examples",
        accuracy,
    )
    assert logistic_sgd.main([*options, "--n-steps", "9", "--n-epochs", "2"]) == 1
    assert "error: n_epochs and n_steps are both" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--shuffle", "--n-steps"])
def test_conjugate_gradient_has_neither_option(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        logistic_cg.main([option, "1"])
    assert f"unrecognized arguments: {option}" in capsys.readouterr().err
