"""The text of a graph as it was written: what it tells apart, and what it does not."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest

from utils.backends import compilation_mode, first_difference, written_graph

MASK = np.ones(2000)
MASK[999] = 0  # where a print of the array shows "..."


def text(rate=0.1, activation=T.tanh, mask=None, start=2.0, data=1.0, mode=None):
    """The graph of a function, which is built on each call."""
    index = T.lscalar("index")
    x = pytensor.shared(np.full(4, data), name="x")
    W, scale = pytensor.shared(np.ones(4), name="W"), pytensor.shared(start, "scale")
    mask = np.ones(2000) if mask is None else mask
    cost = scale * activation(W * x).sum() + T.constant(mask).sum() + index
    updates = [(W, W - rate * T.grad(cost, W))]
    mode = mode or compilation_mode("numba")
    function = pytensor.function([index], cost, updates=updates, mode=mode)
    return written_graph(function, data=[x])


def test_equal_programs_have_equal_texts():
    sound = text()
    assert "the update of W: Sub" in sound and "Tanh" in sound
    assert first_difference(sound, text()) is None
    assert sound == text(data=7.0)


@pytest.mark.parametrize(
    "change, difference",
    [
        ({"rate": 0.1000000001}, ("the update of W", "0.1 <", "0.1000000001 <")),
        ({"activation": T.sigmoid}, ("output 1 of function 1", "Tanh", "Sigmoid")),
        ({"start": 3.0}, ("scale", "2.0", "3.0")),
        ({"mask": MASK}, ("constants", "(2000,)", "(2000,)")),
    ],
    ids=["constant", "operation", "value_not_updated", "large_constant"],
)
def test_first_difference_is_named(change, difference):
    found = first_difference(text(), text(**change))
    assert all(map(str.startswith, found, difference)), found


def test_graph_is_that_before_the_rewrites():
    mode = compilation_mode("numba").excluding("fusion", "inplace")
    assert text(mode=mode) == text()


def test_mode_without_rewrites_keeps_no_graph():
    assert text(mode=pytensor.compile.mode.Mode("py", None)) == ""


def test_inner_graphs_are_part_of_it():
    def scanned(factor):
        steps = pytensor.scan(
            lambda v: v * factor,
            outputs_info=T.constant(1.0),
            n_steps=3,
            return_updates=False,
        )
        mode = pytensor.compile.mode.Mode("py", "fast_compile")
        return written_graph(pytensor.function([], steps[-1], mode=mode))

    assert scanned(2.0) == scanned(2.0)
    assert first_difference(scanned(2.0), scanned(2.5)) is not None
