"""Conjugate gradient in float32."""

import pytest
from test_logistic_cg import check_iterations


@pytest.mark.filterwarnings("error")
def test_training_takes_the_iterations_of_scipy(
    tiny_npz, tiny_splits, tmp_path, capsys
):
    check_iterations("float32", tiny_npz, tiny_splits, tmp_path / "m.pkl", capsys)
