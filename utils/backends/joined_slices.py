"""A rewrite that joins the gradients by two slices of one vector.

PyTensor adds each to its slice of zeros. That code fits no C module with what comes
before it, so that a whole function would be compiled as a module for each operation.
"""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.tensor.basic import get_underlying_scalar_constant_value, join
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.subtensor import IncSubtensor, get_constant_idx

TAG = "joined_slices"


@node_rewriter([IncSubtensor])
def local_slices_of_zeros_to_join(fgraph, node):
    """Join two vectors that are added to, or set in, the two parts of zeros.

    ``zeros(n)[:k].inc(a)[k:].inc(b)``, in either order, becomes ``join(0, a, b)`` where
    the types of a and b say that they have k and n - k elements.
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


optdb.register(
    TAG,
    in2out(local_slices_of_zeros_to_join, name=TAG),
    "fast_run",
    "cxx_only",
    position=1.62,
)
