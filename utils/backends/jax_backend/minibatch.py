"""Minibatches of constant length, and the rewrites that the JAX mode needs."""

from functools import reduce

from jax import lax
from pytensor.compile import optdb
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.graph.traversal import explicit_graph_inputs
from pytensor.link.jax.dispatch import jax_funcify
from pytensor.scalar import Add, Cast, Mul, Neg, Sub
from pytensor.tensor.basic import ScalarFromTensor, cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.math import sum as pt_sum
from pytensor.tensor.subtensor import Subtensor, indices_from_subtensor
from pytensor.tensor.type import TensorType


class Minibatch(Op):
    """The rows of a tensor from ``step * index + offset`` on, a fixed number of them.

    A slice is shorter at the tensor's end, and counts negative bounds from there. This
    Op does neither: rows outside the tensor are an `IndexError`. The number of rows,
    `length`, is at least 1.
    """

    __props__ = ("length", "step", "offset")

    def __init__(self, length, step, offset):
        self.length = length
        self.step = step
        self.offset = offset

    def make_node(self, x, index):
        shape = (self.length, *x.type.shape[1:])
        return Apply(self, [x, index], [TensorType(x.type.dtype, shape=shape)()])

    def infer_shape(self, *arguments):
        # PyTensor 3.0 passes the graph before the node and the shapes, 3.3 does not.
        *_, (x_shape, _) = arguments
        return [(self.length, *x_shape[1:])]

    def first_row(self, n_rows, index):
        """Return a minibatch's first row of the tensor's `n_rows`, or `IndexError`."""
        first = self.step * int(index) + self.offset
        if not 0 <= first <= n_rows - self.length:
            raise IndexError(
                f"minibatch {int(index)} takes rows {first} to "
                f"{first + self.length - 1}, counted from 0, but the data has {n_rows} "
                "rows; the JAX backend takes full minibatches only: leave out the "
                "remainder past the last of them"
            )
        return first

    def perform(self, node, inputs, output_storage):
        x, index = inputs
        first = self.first_row(len(x), index)
        output_storage[0][0] = x[first : first + self.length].copy()


@jax_funcify.register(Minibatch)
def jax_funcify_minibatch(op, **kwargs):
    # JAX would move a start outside the tensor to other rows: the linker checks it.
    def minibatch(x, index):
        return lax.dynamic_slice_in_dim(x, op.step * index + op.offset, op.length)

    return minibatch


def affine(variable, index):
    """Write an integer expression as ``step * index + offset``.

    Returns ``step`` and ``offset``, or None where `variable`, a symbolic scalar, is not
    made of sums, differences and products of `index` with constants.
    """
    if variable is index:
        return 1, 0
    if isinstance(variable, Constant):
        return 0, int(variable.data)
    if variable.owner is None or not variable.type.dtype.startswith("int"):
        return None
    op = variable.owner.op
    parts = [affine(operand, index) for operand in variable.owner.inputs]
    if None in parts:
        return None
    steps, offsets = zip(*parts, strict=True)
    match op.scalar_op if isinstance(op, Elemwise) else op:
        case ScalarFromTensor():
            return parts[0]
        case Add():
            return sum(steps), sum(offsets)
        case Sub():
            return steps[0] - steps[1], offsets[0] - offsets[1]
        case Neg():
            return -steps[0], -offsets[0]
        case Mul() if sum(step != 0 for step in steps) <= 1:
            return reduce(lambda a, b: (a[0] * b[1] + a[1] * b[0], a[1] * b[1]), parts)
    return None


@node_rewriter([Subtensor])
def local_slice_to_minibatch(fgraph, node):
    """Give a slice of rows its constant length, if it has one.

    Before and after, for an integer input ``i`` of the function, a constant ``n``,
    and ``x`` an input or shared variable, cast or not::

        x[i * n:(i + 1) * n]  ->  Minibatch{length=n, step=n, offset=0}(x, i)

    Slices with a step, in more than one dimension, of a computed tensor, or whose
    length depends on ``i``, are left as they are.
    """
    x, *bounds = node.inputs
    indices = indices_from_subtensor(bounds, node.op.idx_list)
    if len(indices) != 1 or not isinstance(indices[0], slice):
        return None
    rows = indices[0]
    if rows.step is not None or rows.start is None or rows.stop is None:
        return None
    leaves = list(explicit_graph_inputs([rows.start, rows.stop]))
    match x.owner_op_and_inputs:
        case (Elemwise(scalar_op=Cast()) as cast_op, data):
            pass
        case _:
            cast_op, data = None, x
    # The linker can check the rows only of what it is given at each call.
    if len(leaves) != 1 or data not in fgraph.inputs:
        return None
    [index] = leaves
    start, stop = affine(rows.start, index), affine(rows.stop, index)
    if start is None or stop is None or start[0] != stop[0] or start[1] >= stop[1]:
        return None
    minibatch = Minibatch(stop[1] - start[1], *start)(data, index)
    return [cast_op(minibatch) if cast_op else minibatch]


@node_rewriter([Sum])
def local_sum_in_acc_dtype(fgraph, node):
    """Add in the type that a sum declares, and give the result its declared type.

    Before and after, for a float32 ``x``::

        Sum{acc=float64}(x)  ->  Cast{float32}(Sum(Cast{float64}(x)))

    PyTensor's JAX translation adds in the type of ``x`` and returns float64, which
    then spreads to gradients, parameters and all products.
    """
    [x], [out] = node.inputs, node.outputs
    acc_dtype = node.op.acc_dtype
    if acc_dtype is None or acc_dtype == out.dtype:
        return None
    return [cast(pt_sum(cast(x, acc_dtype), axis=node.op.axis), out.dtype)]


for rewriter, position in (
    # Before `ShapeOpt` (0.1), which writes the shape of every slice as nested switches.
    (local_slice_to_minibatch, 0.05),
    # With PyTensor's own rewrites for JAX, after all those that simplify a graph.
    (local_sum_in_acc_dtype, 100),
):
    name = rewriter.__name__
    optdb.register(name, in2out(rewriter), "jax_minibatch", position=position)
