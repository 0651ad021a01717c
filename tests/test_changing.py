"""The changes of docs/changing.md, each applied to the script as it is, and run."""

import functools

import pytensor
import pytest
from changed import changed_script, documented_changes
from cut_off import MIDDLE, check_resumed

CHANGES = documented_changes()


@pytest.fixture
def heading():
    """The change of the default run; tests/long has all of them."""
    return "Momentum"


@pytest.fixture
def script(heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pytensor.config, "floatX", "float32")
    return changed_script(tmp_path, *CHANGES[heading])


def test_resumed_run_is_the_unbroken_one(script, tiny_npz, capsys):
    """To the last byte of every parameter and every line."""
    sgd = script.sgd_optimization_mnist
    check_resumed(functools.partial(sgd, 0.1, 6, tiny_npz, 10), sgd, MIDDLE, capsys)
