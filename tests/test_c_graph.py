"""Rewrites for C, by the graphs; tests/long/test_c_graph.py has the compiled values."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.link.vm import VMLinker
from pytensor.tensor.basic import Join
from scipy.special import log_softmax, softmax

import utils.backends  # noqa: F401  registers the rewrites


@pytest.fixture(autouse=True)
def some_blas(monkeypatch):
    """The graphs do not depend on the machine's; Python computes them."""
    entry = pytensor.config._config_var_dict["blas__ldflags"]
    monkeypatch.setattr(entry, "val", "-lm", raising=False)


class RunByPython(VMLinker):
    """A linker that takes the rewrites for C, and compiles nothing."""

    def __init__(self):
        super().__init__(use_cloop=False, c_thunks=False)
        self.incompatible_rewrites = ()


MODE = Mode(RunByPython(), "fast_run")


def compiled(inputs, outputs, updates=()):
    """Rewrite a graph; return the function and the names of its operations."""
    f = pytensor.function(inputs, outputs, updates=list(updates), mode=MODE)
    return f, [str(node.op) for node in f.maker.fgraph.toposort()]


def test_graphs_within_the_graph_are_inlined():
    z = T.dmatrix("z")
    nested = OpFromGraph([z], [T.special.log_softmax(z, axis=1) * 2])
    f, _ = compiled([z], [T.special.softmax(z, axis=1), nested(z)])
    inner = [n for n in f.maker.fgraph.apply_nodes if isinstance(n.op, OpFromGraph)]
    assert inner == []
    value = np.array([[1e3, 0, -1e3], [0.5, 0.25, -np.inf]])
    with np.errstate(divide="ignore"):
        expected = softmax(value, axis=1), 2 * log_softmax(value, axis=1)
    for found, wanted in zip(f(value), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_bias_is_added_by_gemm():
    x, W, b = T.dmatrix("x"), T.dmatrix("W"), T.dvector("b")
    f, names = compiled([x, W, b], T.tanh(b + T.dot(x, W)))
    assert any(name.startswith("Gemm") for name in names)
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)
    expected = np.tanh(values[0] @ values[1] + values[2])
    np.testing.assert_allclose(f(*values), expected, rtol=1e-12)
    for _ in range(2):  # the bias is no output to be written over
        np.testing.assert_allclose(f(*values), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "expression",
    [
        lambda x, W, b: T.dot(x, W) * b,
        lambda x, W, b: T.dot(x, W) + b[:, None][: x.shape[0]],
        lambda x, W, b: T.dot(x, W).astype("float32") + b.astype("float32"),
        lambda x, W, b: T.dot(x[0], W) + b,
    ],
    ids=["product", "column", "another type", "vector"],
)
def test_other_sums_are_left_alone(expression):
    x, W, b = T.dmatrix("x"), T.dmatrix("W"), T.dvector("b")
    _, names = compiled([x, W, b], expression(x, W, b))
    assert not any(name.startswith("Gemm{") for name in names)


def test_product_used_twice_is_computed_once():
    x, W, b = T.dmatrix("x"), T.dmatrix("W"), T.dvector("b")
    product = T.dot(x, W)
    _, names = compiled([x, W, b], [product + b, product])
    assert sum("Gemm" in name or "Dot" in name for name in names) == 1


def test_step_of_a_parameter_is_one_gemm():
    """The gradient has the shape of W specified, which kept BLAS from adding it."""
    W = pytensor.shared(np.ones((3, 4)), shape=(3, 4))
    x, g = T.dmatrix("x"), T.dmatrix("g")
    gradient = T.specify_shape(T.dot(x.T, g), (3, 4))
    f, names = compiled([x, g], [], updates=[(W, W - 0.5 * gradient)])
    assert any(name.startswith("Gemm") for name in names)
    rng = np.random.default_rng(4)
    x, g = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    with pytest.raises((AssertionError, ValueError)):
        f(x[:, :2], g)
    f(x, g)
    np.testing.assert_allclose(W.get_value(), 1 - 0.5 * x.T @ g, rtol=1e-12)


@pytest.mark.parametrize("function", [T.tanh, T.exp, T.log, T.sigmoid])
def test_functions_are_not_computed_in_place(function):
    x, W = T.dmatrix("x"), T.dmatrix("W")
    f, _ = compiled([x, W], function(T.dot(x, W)))
    last = f.maker.fgraph.outputs[0].owner.op
    assert not last.inplace_pattern
    f, _ = compiled([x, W], T.dot(x, W) * 2 + 1)
    others = [n.op for n in f.maker.fgraph.apply_nodes if hasattr(n.op, "scalar_op")]
    assert all(op.inplace_pattern for op in others)


# Gradients by two slices of a vector are joined, and nothing else is

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
    a, b = T.dvector("a", shape=(3,)), T.dvector("b", shape=(length_of_b,))
    graph = rewritten(write(a, b))
    assert has_join(graph) == joined
    value = graph.eval({a: A, b: B}, mode="FAST_COMPILE", on_unused_input="ignore")
    np.testing.assert_array_equal(value, expected)


def inc(zeros, first, a, second, b):
    return T.inc_subtensor(T.inc_subtensor(zeros[first], a)[second], b)


@pytest.mark.parametrize("function", [T.inc_subtensor, T.set_subtensor])
@pytest.mark.parametrize("head", [slice(3), slice(0, 3)])
def test_two_parts_of_zeros_are_joined(function, head):
    check(lambda a, b: function(function(T.zeros(5)[head], a)[3:], b), AB, True)


def test_either_order_is_joined():
    check(lambda a, b: inc(T.zeros(5), FROM_3, b, TO_3, a), AB, True)


def test_gradient_by_the_slices_of_a_vector_is_joined():
    theta = T.dvector("theta", shape=(5,))
    cost = (theta[:3] ** 2).sum() + (theta[3:] ** 3).sum()
    graph = rewritten(T.grad(cost, theta), "canonicalize", "stabilize")
    assert has_join(graph)
    expected = [*2 * A, *3 * B**2]
    np.testing.assert_array_equal(
        graph.eval({theta: AB}, mode="FAST_COMPILE"), expected
    )


FROM_3, TO_3 = slice(3, None), slice(3)
NEAR_MISSES = {
    "not zeros": (lambda a, b: inc(T.ones(5), TO_3, a, FROM_3, b), 1 + AB),
    "a gap": (lambda a, b: inc(T.zeros(6), TO_3, a, slice(4, None), b), [*A, 0, *B]),
    "an overlap": (
        lambda a, b: inc(T.zeros(4), TO_3, a, slice(2, None), b),
        [*A, 0] + np.array([0, 0, *B]),
    ),
    "steps": (
        lambda a, b: inc(T.zeros(5), slice(0, 5, 2), a, slice(1, 5, 2), b),
        AB[[0, 3, 1, 4, 2]],
    ),
    "one number for a part": (
        lambda a, b: inc(T.zeros(5), TO_3, a, FROM_3, b[0]),
        [*A, B[0], B[0]],
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_others_are_left(name):
    check(*NEAR_MISSES[name], False)


def test_length_that_is_known_at_run_time_only_is_left():
    def write(a, b):
        return inc(T.zeros(5), TO_3, a, FROM_3, b)

    check(write, AB, False, length_of_b=None)
