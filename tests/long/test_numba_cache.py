"""Functions that Numba keeps on disk, as later processes load them."""

SCRIPT = """
import sys
import numpy as np
import pytensor
from compiled import Lesson
from fused import mode_of

x = np.random.default_rng(0).integers(0, 256, (150, 12)).astype("uint8")
y = np.arange(150, dtype="int32") % 3
x.flags.writeable = sys.argv[1] == "writeable"
pytensor.config.floatX = "float32"
lesson = Lesson(x, y, 3, int(sys.argv[2]), 0.5, mode_of("numba"))
print(*(lesson.train(i) for i in range(3)))
"""


def test_functions_that_are_kept_give_what_was_compiled(run, tmp_path):
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}

    def costs(kind, batch_size):
        finished = run("-c", SCRIPT, kind, batch_size, environment=flags, status=0)
        return finished.stdout

    first = costs("writeable", 20)
    # A mapped array is not writeable, which is another type to Numba.
    assert costs("mapped", 20) == first != ""
    # Another graph around the loops that are kept; then this graph, kept as well.
    other = costs("writeable", 10)
    assert costs("writeable", 10) == other != first
