"""Patterns of a softmax regression in a graph that PyTensor has stabilised.

Each function looks at one part, and returns its variables, or None where the part does
not match.
"""

from pytensor.raise_op import Assert
from pytensor.scalar import basic as scalars
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from utils.backends.fusion.c_op import LABELS, PRECISIONS
from utils.backends.fusion.lengths import (
    counted_labels,
    either_order,
    is_cast,
    is_number,
    made_by,
    picked_labels,
)

# Numbers in W up to which the fused Op was measured to be no slower than BLAS whatever
# the size of the minibatch. Above, a minibatch of few rows does not pay for its copy of
# W, though one of hundreds would.
MOST_WEIGHTS = 2**16


def users(fgraph, variable):
    """Return the results of all uses of `variable`, None for a function's output."""
    return [
        node.outputs[0] if len(node.outputs) == 1 else None
        for node, _ in fgraph.clients[variable]
    ]


def sole_user(fgraph, variable):
    """Return the result of the only use of `variable`, None where there are more."""
    found = users(fgraph, variable)
    return found[0] if len(found) == 1 else None


def affine_inputs(fgraph, logits):
    """Return (x, W, b) where `logits` is ``dot(x, W) + b`` of a size to fuse, or None.

    The shape of W has to be static: where it is unknown, BLAS may be the faster.
    """
    terms = made_by(logits, scalars.add)
    for product, bias in either_order(terms):
        match made_by(product, Dot), made_by(bias, DimShuffle, new_order=("x", 0)):
            case (x, W), (b,):
                break
    else:
        return None
    n_in, n_out = W.type.shape if W.ndim == x.ndim == 2 else (None, None)
    fits = (
        None not in (n_in, n_out)
        and 1 <= n_in * n_out <= MOST_WEIGHTS
        and b.type.shape == (n_out,)
        and x.dtype == W.dtype == b.dtype
        and x.dtype in PRECISIONS
        and sole_user(fgraph, product) is logits
    )
    return (x, W, b) if fits else None


def pixels_of(x):
    """Return the matrix of bytes where `x` is ``cast(bytes) / 256``, otherwise `x`."""
    for factor, converted in either_order(made_by(x, scalars.mul)):
        node = converted.owner
        if is_number(factor, 1 / 256) and node is not None and is_cast(node.op):
            [pixels] = node.inputs
            return pixels if pixels.dtype == "uint8" else x
    return x


def mean_over_labels(fgraph, values, y):
    """Return the variable ``sum(values) / y.shape[0]`` where that is their only use."""
    total = sole_user(fgraph, values)
    if total is None or total.ndim or made_by(total, Sum) != (values,):
        return None
    mean = sole_user(fgraph, total)
    match made_by(mean, scalars.true_div) if mean is not None else ():
        case numerator, count if numerator is total and counted_labels(count) is y:
            return mean
    return None


def mean_of_log_likelihood(fgraph, log_p, y):
    """Return the variable ``log_p[arange(y.shape[0]), y].mean()``, or None."""
    picked = sole_user(fgraph, log_p)
    if picked is None:
        return None
    match made_by(picked, AdvancedSubtensor, idx_list=(0, 1)):
        case values, rows, labels if values is log_p and labels is y:
            if picked_labels(rows, y) is y:
                return mean_over_labels(fgraph, picked, y)
    return None


def residual(fgraph, p):
    """Return (delta, y) of the loss's gradient that the softmax `p` ends in, or None.

    That is ``delta = hot - p * hot.sum(axis=1)[:, None]``, where row i of hot is zero
    but for ``hot[i, y[i]] = -1 / y.shape[0]``.
    """
    weighted = sole_user(fgraph, p)
    delta = sole_user(fgraph, weighted) if weighted is not None else None
    if delta is None:
        return None
    hot, *rest = made_by(delta, scalars.sub) or (None,)
    for factor, column in either_order(made_by(weighted, scalars.mul)):
        row_sums, *_ = made_by(column, DimShuffle, new_order=(0, "x")) or (column,)
        if factor is p and made_by(row_sums, Sum, axis=(1,)) == (hot,):
            break
    else:
        return None
    match made_by(hot, AdvancedIncSubtensor, idx_list=(0, 1)):
        case zeros, value, rows, y if (
            rest == [weighted]
            and len(fgraph.clients[hot]) == 2
            and is_number((made_by(zeros, Alloc) or (zeros,))[0], 0)
            and picked_labels(rows, y) is y
            and y.dtype in LABELS
            and is_minus_one_over_count(value, y)
        ):
            return delta, y
    return None


def is_minus_one_over_count(value, y):
    """Return whether `value` is ``-1 / y.shape[0]``, be its shape checked or not."""
    value, *_ = made_by(value, Assert) or (value,)
    match made_by(value, scalars.true_div):
        case numerator, count:
            return is_number(numerator, -1) and counted_labels(count) is y
    return False
