"""Rewrites of graphs that are compiled as C, whatever they compute.

They run for PyTensor's C linkers only. ``mode.excluding("inline_graphs")`` leaves out
the first, ``"prepare_blas"`` the next two, ``"joined_slices"`` that of slices, and
``"vector_functions"`` the last.
"""

from itertools import permutations

import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import (
    MergeOptimizer,
    SequentialGraphRewriter,
    dfs_rewriter,
    node_rewriter,
)
from pytensor.scalar import basic as scalars
from pytensor.scalar.math import Sigmoid
from pytensor.tensor.basic import get_underlying_scalar_constant_value, join
from pytensor.tensor.blas import gemm_no_inplace
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.math import Dot
from pytensor.tensor.rewriting.blas import blas_optdb
from pytensor.tensor.rewriting.ofg import inline_ofg_node
from pytensor.tensor.shape import SpecifyShape, specify_shape
from pytensor.tensor.subtensor import IncSubtensor, get_constant_idx

from utils.backends import blas

FUNCTIONS = (scalars.Exp, scalars.Log, scalars.Tanh, Sigmoid)  # of one number


@node_rewriter([OpFromGraph])
def local_inline_graph(fgraph, node):
    """Replace the node of a graph within the graph, such as softmax, by that graph.

    PyTensor 3.0 would compile it as a function of its own in its default mode, that is
    by Numba, which takes seconds.
    """
    return inline_ofg_node(node)


def matrix_product(variable):
    """Return the factors where `variable` is a product of two matrices, or ()."""
    node = variable.owner
    factors = node.inputs if node is not None and isinstance(node.op, Dot) else ()
    return factors if all(factor.ndim == 2 for factor in factors) else ()


@node_rewriter([SpecifyShape])
def local_specify_factors(fgraph, node):
    """Say the shape of a product's factors, so that BLAS can add it to a parameter.

    ``SpecifyShape(Dot(x, y), m, n)`` ->
    ``Dot(SpecifyShape(x, m, None), SpecifyShape(y, None, n))``
    """
    product, *lengths = node.inputs
    match matrix_product(product):
        case x, y if blas.is_linked() and len(fgraph.clients[product]) == 1:
            m, n = lengths
            return [pt.dot(specify_shape(x, (m, None)), specify_shape(y, (None, n)))]
    return None


@node_rewriter([Elemwise])
def local_gemm_of_bias(fgraph, node):
    """Add a bias by BLAS, so that a tanh of the sum is a loop over one array.

    Of such a loop the compiler makes vector code. With m rows of x, n columns of W::

        Add(Dot(x, W), ExpandDims(b))  ->  Gemm(Alloc(b, m, n), 1, x, W, 1)
    """
    if not blas.is_linked() or node.op.scalar_op != scalars.add:
        return None
    [total] = node.outputs
    for product, bias in permutations(node.inputs) if len(node.inputs) == 2 else ():
        if bias.owner is None or not isinstance(bias.owner.op, DimShuffle):
            continue
        match matrix_product(product):
            case x, W if (
                bias.owner.op.new_order == ("x", 0)
                and x.dtype == W.dtype == bias.dtype == total.dtype
                and total.dtype in ("float32", "float64")
                and len(fgraph.clients[product]) == 1
            ):
                one = pt.constant(1, dtype=total.dtype)
                biases = pt.alloc(bias, x.shape[0], W.shape[1])
                return [gemm_no_inplace(biases, one, x, W, one)]
    return None


@node_rewriter([IncSubtensor])
def local_slices_of_zeros_to_join(fgraph, node):
    """Join two vectors that are added to, or set in, the two parts of zeros.

    ``zeros(n)[:k].inc(a)[k:].inc(b)``, in either order, becomes ``join(0, a, b)`` where
    the types of a and b say that they have k and n - k elements. So PyTensor writes the
    gradients by two slices of one vector, in code that fits no C module with what comes
    before it: the whole function would be compiled as a module for each operation.
    """
    other = node.inputs[0].owner
    if other is None or not isinstance(other.op, IncSubtensor):
        return None
    zeros = other.inputs[0]
    values = [other.inputs[1], node.inputs[1]]
    if any(v.ndim != 1 or None in v.type.shape for v in (zeros, *values)):
        return None
    try:
        if get_underlying_scalar_constant_value(zeros) != 0:
            return None
        parts = [_bounds(v, zeros.type.shape[0]) for v in (other, node)]
    except NotScalarConstantError:
        return None
    if parts[0] > parts[1]:
        parts.reverse()
        values.reverse()
    k, rest = (v.type.shape[0] for v in values)
    whole = parts == [(0, k, 1), (k, k + rest, 1)] and zeros.type.shape == (k + rest,)
    same_type = {v.dtype for v in values} == {zeros.dtype}
    return [join(0, *values)] if whole and same_type else None


def _bounds(node, n):
    """Return start, stop and step of an IncSubtensor's slice of n numbers."""
    [part] = get_constant_idx(node.op.idx_list, node.inputs[:1] + node.inputs[2:])
    return part.indices(n)


@node_rewriter([Elemwise])
def local_function_out_of_place(fgraph, node):
    """Compute tanh and its like into an array of their own.

    In place the compiler cannot tell that the array it writes is not another part of
    the one it reads, and makes no vector code: ``Elemwise{tanh, inplace}(x)`` ->
    ``Elemwise{tanh}(x)``.
    """
    op = node.op
    if (
        op.inplace_pattern
        and isinstance(op.scalar_op, FUNCTIONS)
        and node.inputs[0].ndim
    ):
        return [Elemwise(op.scalar_op)(*node.inputs)]
    return None


# Before PyTensor makes BLAS calls of the products, and before it fuses loops, at 49.
blas_optdb.register(
    "prepare_blas",
    dfs_rewriter(local_specify_factors, local_gemm_of_bias),
    "fast_run",
    "cxx_only",
    position=-1,
)
# Softmax and log-softmax begin alike: that is merged.
inline = SequentialGraphRewriter(dfs_rewriter(local_inline_graph), MergeOptimizer())
for name, rewriter, position in (
    ("joined_slices", dfs_rewriter(local_slices_of_zeros_to_join), 1.62),
    ("inline_graphs", inline, 48.9),
    # After PyTensor has made everything else work in place, at 50.5.
    ("vector_functions", dfs_rewriter(local_function_out_of_place), 50.6),
):
    optdb.register(name, rewriter, "fast_run", "cxx_only", position=position)
