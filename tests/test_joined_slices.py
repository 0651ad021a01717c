"""Gradients by two slices of a vector are joined, and nothing else is."""

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.basic import Join

import utils.backends  # noqa: F401  registers the rewrite

A, B = np.array([1.5, -2.5, 3.5]), np.array([4.5, 5.5])
AB = np.concatenate([A, B])


def rewritten(graph, *tags):
    return rewrite_graph(graph, include=(*tags, "joined_slices"))


def has_join(graph):
    ops = [v.owner.op for v in ancestors([graph]) if v.owner is not None]
    return any(isinstance(op, Join) for op in ops)


def check(write, expected, joined, length_of_b=2):
    """Write a graph of two vectors, and compare it once the rewrite has seen it.

    ``write(a, b)`` is the graph, `expected` its value at A and B, and `joined` tells
    whether the rewrite is to put a join there.
    """
    a, b = pt.dvector("a", shape=(3,)), pt.dvector("b", shape=(length_of_b,))
    graph = rewritten(write(a, b))
    assert has_join(graph) == joined
    value = graph.eval({a: A, b: B}, mode="FAST_COMPILE", on_unused_input="ignore")
    np.testing.assert_array_equal(value, expected)


def inc(zeros, first, a, second, b):
    return pt.inc_subtensor(pt.inc_subtensor(zeros[first], a)[second], b)


@pytest.mark.parametrize("function", [pt.inc_subtensor, pt.set_subtensor])
@pytest.mark.parametrize("head", [slice(3), slice(0, 3)])
def test_two_parts_of_zeros_are_joined(function, head):
    check(lambda a, b: function(function(pt.zeros(5)[head], a)[3:], b), AB, True)


def test_either_order_is_joined():
    check(lambda a, b: inc(pt.zeros(5), FROM_3, b, TO_3, a), AB, True)


def test_gradient_by_the_slices_of_a_vector_is_joined():
    theta = pt.dvector("theta", shape=(5,))
    cost = (theta[:3] ** 2).sum() + (theta[3:] ** 3).sum()
    graph = rewritten(pt.grad(cost, theta), "canonicalize", "stabilize")
    assert has_join(graph)
    expected = [*2 * A, *3 * B**2]
    np.testing.assert_array_equal(
        graph.eval({theta: AB}, mode="FAST_COMPILE"), expected
    )


FROM_3, TO_3 = slice(3, None), slice(3)
NEAR_MISSES = {
    "not zeros": (lambda a, b: inc(pt.ones(5), TO_3, a, FROM_3, b), 1 + AB),
    "a gap": (
        lambda a, b: inc(pt.zeros(6), TO_3, a, slice(4, None), b),
        [*A, 0, *B],
    ),
    "an overlap": (
        lambda a, b: inc(pt.zeros(4), TO_3, a, slice(2, None), b),
        [*A, 0] + np.array([0, 0, *B]),
    ),
    "steps": (
        lambda a, b: inc(pt.zeros(5), slice(0, 5, 2), a, slice(1, 5, 2), b),
        AB[[0, 3, 1, 4, 2]],
    ),
    "one number for a part": (
        lambda a, b: inc(pt.zeros(5), TO_3, a, FROM_3, b[0]),
        [*A, B[0], B[0]],
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_others_are_left(name):
    check(*NEAR_MISSES[name], False)


def test_length_that_is_known_at_run_time_only_is_left():
    def write(a, b):
        return inc(pt.zeros(5), TO_3, a, FROM_3, b)

    check(write, AB, False, length_of_b=None)
