"""Functions that Numba keeps on disk, as later processes load them."""

SCRIPT = """
import sys
import numpy as np
import pytensor
from compiled import Lesson
from fused import mode_of

x = np.random.default_rng(0).integers(0, 256, (150, 12)).astype("uint8")
y = np.arange(150, dtype="int32") % 3
pytensor.config.floatX = "float32"
for kind, batch_size in zip(sys.argv[1::2], sys.argv[2::2]):
    x.flags.writeable = kind == "writeable"
    lesson = Lesson(x, y, 3, int(batch_size), 0.5, mode_of("numba"))
    print(*(lesson.train(i) for i in range(3)))
"""


def test_functions_that_are_kept_give_what_was_compiled(run, tmp_path):
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}

    def costs(*lessons):
        finished = run("-c", SCRIPT, *lessons, environment=flags, status=0)
        return finished.stdout.splitlines()

    (first,) = costs("writeable", 20)
    # A mapped array is not writeable, which is another type to Numba; then another
    # graph around the loops that are kept.
    again, other = costs("mapped", 20, "writeable", 10)
    assert again == first != ""
    # Now that graph is kept as well.
    assert costs("writeable", 10) == [other] != [first]
