"""Marks on the lengths in a graph that count labels.

PyTensor expands the length of a slice into nested comparisons, in which two equal
lengths soon look different. So lengths are marked before that happens.
"""

from itertools import permutations

import numpy as np
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import copy_stack_trace
from pytensor.scalar import basic as scalars
from pytensor.tensor.basic import ARange, MakeVector
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Argmax
from pytensor.tensor.shape import Shape, Shape_i
from pytensor.tensor.special import LogSoftmax, Softmax
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor
from pytensor.tensor.type import lscalar

# A length may be cast to these; narrower types wrap around, or round it.
COUNTS = ("int32", "int64", "float32", "float64")


class LabelCount(Op):
    """The length of a vector of labels: a mark that stays between the two passes."""

    __props__ = ()

    def make_node(self, y):
        return Apply(self, [y], [lscalar()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = np.asarray(len(inputs[0]), dtype="int64")


label_count = LabelCount()


def made_by(variable, kind, **expected):
    """Return the inputs of `variable` where an Op of this kind made it, otherwise ().

    `kind` is an Op's class, or the scalar Op of an `Elemwise`; `expected` are values of
    the Op's attributes. None was made by nothing.
    """
    node = variable.owner if variable is not None else None
    if node is None:
        return ()
    if isinstance(kind, scalars.ScalarOp):
        kind, expected = Elemwise, {"scalar_op": kind}
    fits = isinstance(node.op, kind) and all(
        getattr(node.op, name) == value for name, value in expected.items()
    )
    return tuple(node.inputs) if fits else ()


def is_cast(op):
    """Return whether an Op casts element by element."""
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, scalars.Cast)


def is_number(variable, number):
    """Return whether `variable` is a constant of which all elements are `number`."""
    return isinstance(variable, Constant) and bool((variable.data == number).all())


def is_single(variable):
    """Return whether `variable` is one number, of any number of dimensions."""
    return all(variable.type.broadcastable)


def counted_labels(variable):
    """Return y where `variable` is its marked length, cast or reshaped, or None."""
    while variable.owner is not None and variable.dtype in COUNTS:
        op = variable.owner.op
        if isinstance(op, LabelCount):
            return variable.owner.inputs[0]
        if not is_cast(op) and not isinstance(op, DimShuffle):
            return None
        variable = variable.owner.inputs[0]
    return None


def either_order(inputs):
    """Return both orders of two inputs; nothing where there are not two."""
    return permutations(inputs) if len(inputs) == 2 else ()


def stop_of(rows):
    """Return n where `rows` is arange(n), otherwise `rows`, which is no length."""
    match made_by(rows, ARange):
        case start, stop, step if is_number(start, 0) and is_number(step, 1):
            return stop
    return rows


def picked_labels(rows, y):
    """Return y where `rows` is arange(y.shape[0]), by its mark, otherwise None."""
    return y if counted_labels(stop_of(rows)) is y else None


def replace(fgraph, old, new):
    """Replace a variable in the graph by one that may not be in it yet."""
    copy_stack_trace(old, new)
    fgraph.replace(old, new, reason="softmax_regression", import_missing=True)


def mark_label_counts(fgraph):
    """Mark the lengths that count labels.

    ``log(p)[arange(y.shape[0]), y]`` and ``neq(argmax(p, axis=1), y)`` are as long as
    y, and their means divide by that length::

        Shape(y)[0], Shape(log(p)[arange(Shape(y)[0]), y])  ->  LabelCount(y), [...]
        Shape(neq(argmax(p, axis=1), y))                    ->  [LabelCount(y)]

    The same for ``p[arange(y.shape[0]), y]``, and for what is computed from one of them
    and single numbers.
    """
    for node in fgraph.toposort():
        if isinstance(node.op, AdvancedSubtensor) and len(node.inputs) == 3:
            mark_picked(fgraph, node)
        elif made_by(node.outputs[0], scalars.neq):
            mark_compared(fgraph, node)


def mark_picked(fgraph, node):
    values, rows, y = node.inputs
    of_softmax = any(made_by(values, k) for k in (scalars.log, LogSoftmax, Softmax))
    if not of_softmax or node.op.idx_list != (0, 1) or y.ndim != 1:
        return
    match made_by(stop_of(rows), Subtensor):
        case lengths, at if is_number(at, 0) and made_by(lengths, Shape) == (y,):
            replace(fgraph, stop_of(rows), label_count(y))
    if picked_labels(rows, y) is y:
        mark_shape(fgraph, node.outputs[0], y)


def mark_compared(fgraph, node):
    for predicted, y in either_order(node.inputs):
        # One of static length 1 would be broadcast to the length of the other.
        lengthy = predicted.type.broadcastable == y.type.broadcastable == (False,)
        if made_by(predicted, Argmax) and lengthy:
            mark_shape(fgraph, node.outputs[0], y)
            return


def mark_shape(fgraph, variable, y):
    for user, _ in list(fgraph.clients[variable]):
        if isinstance(user.op, Shape):
            replace(fgraph, user.outputs[0], MakeVector("int64")(label_count(y)))
        elif isinstance(user.op, Elemwise) and all(
            v is variable or is_single(v) for v in user.inputs
        ):
            mark_shape(fgraph, user.outputs[0], y)


def remove_label_counts(fgraph):
    """Put the lengths back where no fused operation made their marks superfluous."""
    for node in fgraph.toposort():
        if isinstance(node.op, LabelCount):
            replace(fgraph, node.outputs[0], Shape_i(0)(*node.inputs))
