"""Rewrites for C, by the graphs; tests/long/test_c_graph.py has the compiled values."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker
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
