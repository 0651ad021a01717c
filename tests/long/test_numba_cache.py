"""Functions that Numba keeps on disk: written at once, loaded later, and damaged."""

from test_caches import damage

SCRIPT = """
import sys
import numpy as np
import pytensor
from compiled import Lesson
from fused import mode_of

x = np.random.default_rng(0).integers(0, 256, (150, 12)).astype("uint8")
y = np.arange(150, dtype="int32") % 3
pytensor.config.floatX = sys.argv[1]
for kind, batch_size in zip(sys.argv[2::2], sys.argv[3::2]):
    x.flags.writeable = kind == "writeable"
    lesson = Lesson(x, y, 3, int(batch_size), 0.5, mode_of("numba"))
    print(*(lesson.train(i) for i in range(3)), lesson.validate(0))
"""


def test_functions_that_are_kept_give_what_was_compiled(start, tmp_path):
    """From an empty cache, by two precisions at once, whose functions have one name."""
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}

    def at_once(*lessons):
        runs = [start("-c", SCRIPT, *lesson, environment=flags) for lesson in lessons]
        for process in runs:
            output, errors = process.communicate(timeout=300)
            assert (process.returncode, errors) == (0, "")
            yield output.splitlines()

    in_float64 = "float64", "writeable", 20
    [first], wide = at_once(("float32", "writeable", 20), in_float64)
    # A mapped array is not writeable, which is another type to Numba; then another
    # graph around the loops that are kept.
    further = "float32", "mapped", 20, "writeable", 10
    [again, other], wide_again = at_once(further, in_float64)
    assert again == first and [first] != wide == wide_again

    # Now that graph is kept as well. Of the outermost functions one has its index
    # damaged, the next its code.
    indices = sorted(tmp_path.glob("numba/*numba_funcified_fgraph*.nbi"))
    assert len(indices) >= 2
    for number, index in enumerate(indices):
        code = index.with_name(index.name.removesuffix("nbi") + "1.nbc")
        damage(code if number % 2 else index, "half")
    damaged = "float32", "writeable", 10, "writeable", 20
    assert [*at_once(damaged)] == [[other, first]] and other != first
