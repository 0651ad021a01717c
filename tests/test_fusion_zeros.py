"""The fused operations on zeros, extreme values and layouts, and in a forked child."""

import numpy as np
import pytest
from fused import assert_close, assert_right, expected, operations, problem
from test_fusion_op import each_precision


@pytest.fixture
def linker():
    """The linker to test; `long/test_fusion_numba.py` has another."""
    return "c"


def with_zeros(density, n, n_in, dtype):
    """A problem of which only a share of the pixels, often none of a row, is not 0."""
    x, *others = problem(n, n_in, 10, dtype, seed=n)
    rng = np.random.default_rng(n_in)
    return x * (rng.random(x.shape) < density * 2 * rng.random((n, 1))), *others


@each_precision
@pytest.mark.parametrize("density", [0, 0.01, 0.1, 0.5])
def test_pixels_that_are_zero_change_nothing(density, linker, dtype):
    for n in (1, 63, 64, 65, 300):
        for n_in in (1, 7, 8, 9, 17, 511, 512, 513, 784, 1100):
            x, W, b, y = with_zeros(density, n, n_in, dtype)
            assert_right(linker, dtype, (x.astype(dtype), W, b, y))


@each_precision
@pytest.mark.parametrize(
    "which, place, number",
    [
        ("x", (3, 2), np.nan),
        ("b", 1, np.nan),
        ("W", (33, 4), np.nan),
        ("W", (33, 4), np.inf),
        ("W", (33, 4), -np.inf),
    ],
)
def test_zero_times_what_is_not_finite_is_nan(which, place, number, linker, dtype):
    x, W, b, y = with_zeros(0.1, 150, 40, dtype)
    values = {"x": x.astype(dtype), "W": W, "b": b}
    values["x"][:, 32:] = 0
    values[which][place] = number
    with np.errstate(all="ignore"):
        truth = expected(*values.values(), y)
    found = operations(linker, dtype)(*values.values(), y)[:3]
    for output, value in zip(found, truth[:3], strict=True):
        np.testing.assert_array_equal(np.isnan(output), np.isnan(value))
        assert_close(output, value, dtype)


@each_precision
def test_the_largest_logits_beside_infinite_ones_are_compared(linker, dtype):
    """Their sum is infinite, or NaN, but the softmax is not."""
    most = np.finfo(dtype).max
    rows = {
        (-np.inf, most, most / 2): 1,
        (most / 2, most, -np.inf): 1,
        (-np.inf, most / 2, most): 2,
        (-most, -most, most): 2,
        (0, np.nan, most): 0,  # here it is NaN, and NumPy's argmax 0
        (0, np.inf, most): 0,
    }
    for logits, best in rows.items():
        x, W = np.zeros((1, 1), dtype), np.zeros((1, 3), dtype)
        b = np.array(logits, dtype)
        for label in range(3):
            y = np.array([label], "int32")
            errors = operations(linker, dtype)(x, W, b, y)[3]
            assert errors == (label != best), (logits, label)


LAYOUTS = {
    "rows reversed": lambda v: np.ascontiguousarray(v[::-1])[::-1],
    "all reversed": lambda v: np.flip(np.ascontiguousarray(np.flip(v))),
    "transposed": np.asfortranarray,
    "a part of wider rows": lambda v: np.concatenate([v, v], -1)[..., : v.shape[-1]],
    "every other element": lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    "every other row": lambda v: np.repeat(v, 2, axis=0)[::2],
    "byte-swapped": lambda v: v.astype(v.dtype.newbyteorder()),
}


@each_precision
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(layout, linker, dtype):
    for n, n_in in ((61, 19), (1, 19), (130, 40), (61, 1)):
        values = problem(n, n_in, 10, dtype)
        laid_out = [LAYOUTS[layout](v) for v in values]
        for i in range(4):
            mixed = [*values[:i], laid_out[i], *values[i + 1 :]]
            assert_right(linker, dtype, mixed, expected(*values))
        assert_right(linker, dtype, laid_out, expected(*values))


FORKED_RUN = """
import hashlib, os, select
from fused import operations, problem
values, function = problem(2000, 784, 10, "float32"), operations("LINKER", "float32")

def digest():
    outputs = function(*values)
    return hashlib.sha256(b"".join(v.tobytes() for v in outputs)).hexdigest()

print(digest())
from_child, to_parent = os.pipe()
if os.fork() == 0:
    os.write(to_parent, digest().encode())
    os._exit(0)
os.close(to_parent)
ready, _, _ = select.select([from_child], [], [], 60)
print(os.read(from_child, 1000).decode() if ready else "nothing in a minute")
print(digest())
"""


def test_a_forked_child_computes_the_same_bit_for_bit(run, linker):
    finished = run(
        "-c",
        FORKED_RUN.replace("LINKER", linker),
        python=["-W", "ignore::DeprecationWarning"],  # of forking with threads
        environment={"OMP_NUM_THREADS": 2},
        status=0,
    )
    parent, child, again = finished.stdout.split("\n")[:3]
    assert parent == child == again
