"""Runs on arrays of floats, which are compiled for themselves, cut off and resumed."""

import pytest
from cut_off import TRAININGS
from test_arrays import check_resumed_on_arrays, standardised


@pytest.mark.parametrize("script", TRAININGS)
def test_resumed_run_is_the_unbroken_one(
    script, tiny_arrays, tmp_path, monkeypatch, capsys
):
    x, y = tiny_arrays
    x = standardised(x)
    check_resumed_on_arrays(script, x, y, tmp_path, monkeypatch, capsys)
