"""Conjugate gradient in float32, and its model, which is read like one of SGD."""

import numpy as np
import pytest
from test_logistic_cg import check_iterations

from logistic_cg import cg_optimization_mnist
from logistic_sgd import predict


def test_predict_reads_what_conjugate_gradient_saved(tiny_npz, tiny_splits, tmp_path):
    model = tmp_path / "model.pkl"
    cg_optimization_mnist(4, tiny_npz, batch_size=10, model=model)
    labels = predict(model, images=tiny_splits[0][0])
    assert np.mean(labels != tiny_splits[0][1]) < 0.2


@pytest.mark.filterwarnings("error")
def test_training_takes_the_iterations_of_scipy(
    tiny_npz, tiny_splits, tmp_path, capsys
):
    check_iterations("float32", tiny_npz, tiny_splits, tmp_path / "m.pkl", capsys)
