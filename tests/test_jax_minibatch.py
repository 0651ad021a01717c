"""The rewrites of the JAX mode: graphs before and after, near misses, numbers."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile import optdb
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

pytest.importorskip("jax", reason="the JAX backend needs the extra `jax`")

from utils.backends.jax_backend import jax_mode  # noqa: E402
from utils.backends.jax_backend.minibatch import Minibatch  # noqa: E402


def minibatches_in(expression, inputs):
    """Apply the rewrites of the tag to an expression and return its Minibatch Ops."""
    fgraph = FunctionGraph(inputs, [expression], clone=False)
    optdb.query(RewriteDatabaseQuery(include=["jax_minibatch"])).rewrite(fgraph)
    ops = [node.op for node in fgraph.apply_nodes]
    return [op for op in ops if isinstance(op, Minibatch)], fgraph


@pytest.mark.parametrize(
    "cut",
    [
        lambda x, i: x[i * 4 : (i + 1) * 4],
        lambda x, i: x[4 * i : 4 * i + 4],
        lambda x, i: x[i : i + 1],
        lambda x, i: x[(i - 1) * 4 + 6 : 4 + i * 4],
        lambda x, i: x[-(2 - i) * 3 : (i - 1) * 3],
        lambda x, i: x[2 * i * 2 : 2 * (i + i + 2)],
        lambda x, i: x[12 - 3 * i : 18 - 3 * i],
    ],
)
def test_slice_of_constant_length_becomes_a_minibatch(cut):
    x, i = pt.matrix("x", dtype="float64"), pt.lscalar("i")
    values = np.arange(66.0).reshape(22, 3)
    ops, fgraph = minibatches_in(cut(x, i), [x, i])
    assert len(ops) == len(fgraph.apply_nodes) == 1
    function = pytensor.function([x, i], cut(x, i), mode=jax_mode())
    python = pytensor.function([x, i], fgraph.outputs[0], mode=Mode("py", None))
    for index in [2, 3]:
        expected = cut(values, index)
        assert fgraph.outputs[0].type.shape == (len(expected), None)
        np.testing.assert_array_equal(function(values, index), expected)
        np.testing.assert_array_equal(python(values, index), expected)


def test_labels_are_cut_before_they_are_cast():
    y, i = pt.vector("y", dtype="float64"), pt.lscalar("i")
    ops, fgraph = minibatches_in(pt.cast(y, "int32")[i * 4 : (i + 1) * 4], [y, i])
    assert len(ops) == 1
    assert isinstance(fgraph.outputs[0].owner.inputs[0].owner.op, Minibatch)
    assert fgraph.outputs[0].dtype == "int32"


@pytest.mark.parametrize(
    "cut",
    [
        lambda x, i, j: x[:i],
        lambda x, i, j: x[i:],
        lambda x, i, j: x[i : 2 * i],
        lambda x, i, j: x[i : 2 * i + 4],
        lambda x, i, j: x[i * 4 : j * 4],
        lambda x, i, j: x[i * j : i * j + 4],
        lambda x, i, j: x[i * i : i * i + 4],
        lambda x, i, j: x[i * 4 : (i + 1) * 4 : 2],
        lambda x, i, j: x[(i + 1) * 4 : i * 4],
        lambda x, i, j: x[i * 4 : i * 4],
        lambda x, i, j: x[i * 4 : (i + 1) * 4, 1:],
        lambda x, i, j: x[2:6],
        lambda x, i, j: x[i],
        lambda x, i, j: pt.tanh(x)[i * 4 : (i + 1) * 4],
        lambda x, i, j: x[i // 2 : i // 2 + 4],
        lambda x, i, j: x[i % 3 : i % 3 + 4],
    ],
)
def test_other_slices_are_left_alone(cut):
    x, i, j = pt.matrix("x", dtype="float64"), pt.lscalar("i"), pt.lscalar("j")
    expression = cut(x, i, j)
    ops, fgraph = minibatches_in(expression, [x, i, j])
    assert not ops
    assert fgraph.outputs[0] is expression


def test_rewrite_belongs_to_this_mode_alone():
    x, i = pt.vector("x", dtype="float64"), pt.lscalar("i")
    found = []
    for mode in [jax_mode(), jax_mode().excluding("jax_minibatch"), Mode("py")]:
        function = pytensor.function([x, i], x[i * 4 : (i + 1) * 4], mode=mode)
        ops = [node.op for node in function.maker.fgraph.apply_nodes]
        found.append(any(isinstance(op, Minibatch) for op in ops))
    assert found == [True, False, False]


def test_float32_sum_adds_in_float64():
    values = np.ones(33, "float32")
    # In float32 2**24 + 1 is 2**24 again.
    values[0] = 2.0**24
    x = pt.vector(dtype="float32")
    total = pytensor.function([x], x.sum(), mode=jax_mode())(values)
    assert total == values.astype("float64").sum()
    assert total.dtype == "float32"
