"""What Numba keeps on disk, as later processes load it."""

import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY

SCRIPT = """
import sys
import numpy as np
import pytensor
import test_bytes

x = np.random.default_rng(0).integers(0, 256, (150, 12)).astype("uint8")
y = np.arange(150, dtype="int32") % 3
x.flags.writeable = sys.argv[1] == "writeable"
shared = pytensor.shared
pytensor.shared = lambda value, **kwargs: shared(value, **kwargs | {"borrow": True})
print(*test_bytes.train(x, y, "numba", "float32", 3, int(sys.argv[2]))[1])
"""


@pytest.fixture
def costs(tmp_path):
    """What a process prints that trains on an array of a kind, in minibatches."""
    environment = os.environ | {
        "PYTENSOR_FLAGS": f"base_compiledir={tmp_path}",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")]),
    }

    def run(kind, batch_size):
        finished = subprocess.run(
            [sys.executable, "-c", SCRIPT, kind, str(batch_size)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


def test_functions_that_are_kept_give_what_was_compiled(costs):
    first = costs("writeable", 20)
    # A mapped array is not writeable, which is another type to Numba.
    assert costs("mapped", 20) == first != ""
    # Another graph around the loops that are kept; then this graph, kept as well.
    other = costs("writeable", 10)
    assert costs("writeable", 10) == other != first
