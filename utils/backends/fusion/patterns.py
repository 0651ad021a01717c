"""Patterns of a softmax regression in a graph that PyTensor has stabilised.

Each function looks at one part, and returns its variables, or None where the part does
not match.
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.raise_op import Assert
from pytensor.scalar import basic as scalars
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.special import LogSoftmax
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from utils.backends.fusion.c_op import LABELS, PRECISIONS
from utils.backends.fusion.lengths import (
    counted_labels,
    either_order,
    is_cast,
    is_number,
    is_single,
    label_count,
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

    The size of a shared W is that of its value; where none is known, it fits.
    """
    terms = made_by(logits, scalars.add)
    for product, bias in either_order(terms):
        match made_by(product, Dot), made_by(bias, DimShuffle, new_order=("x", 0)):
            case (x, W), (b,):
                break
    else:
        return None
    shape = W.get_value(True).shape if isinstance(W, SharedVariable) else W.type.shape
    fits = (
        W.ndim == x.ndim == 2
        and (None in shape or 1 <= np.prod(shape) <= MOST_WEIGHTS)
        and b.type.broadcastable == W.type.broadcastable[1:]
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


def mean_over_labels(fgraph, total, y):
    """Return the variable ``total / y.shape[0]`` where that is the only use."""
    mean = sole_user(fgraph, total)
    match made_by(mean, scalars.true_div) if mean is not None else ():
        case numerator, count if numerator is total and counted_labels(count) is y:
            return mean
    return None


def log_likelihoods(fgraph, log_p, y):
    """Return ``log_p[arange(y.shape[0]), y]`` where that is its only use, or None."""
    picked = sole_user(fgraph, log_p) if made_by(log_p, LogSoftmax, axis=(1,)) else None
    if picked is not None:
        match made_by(picked, AdvancedSubtensor, idx_list=(0, 1)):
            case values, rows, labels if values is log_p and labels is y:
                return picked if picked_labels(rows, y) is y else None
    return None


def sums_of(fgraph, values, total):
    """Return pairs (variable, its value) for the sums of `values`, or None.

    Where `total` is the sum, the values may also be multiplied by single numbers before
    they are summed. None is returned where there is any other use of them.
    """
    pairs = []
    for user in users(fgraph, values):
        if made_by(user, Sum) == (values,) and user.ndim == 0:
            pairs.append((user, total))
            continue
        scaled = scaled_alike(user, values, total)
        found = sums_of(fgraph, user, scaled) if scaled is not None else None
        if found is None:
            return None
        pairs += found
    return pairs


def scaled_alike(product, values, total):
    """Return `total` times the numbers that `values` is multiplied by in `product`."""
    match made_by(product, scalars.true_div):
        case numerator, divisor if numerator is values and is_single(divisor):
            return total / pt.squeeze(divisor)
    factors = [v for v in made_by(product, scalars.mul) if v is not values]
    if factors and all(map(is_single, factors)):
        return pt.mul(total, *map(pt.squeeze, factors))
    return None


def residual(fgraph, p):
    """Return (delta, weighted, value, y) of a loss's gradient by the logits, or None.

    That is ``delta = hot - weighted``, ``weighted = p * hot.sum(axis=1)[:, None]`` for
    the softmax `p`, where row i of hot is zero but for ``hot[i, y[i]] = value``.
    """
    for weighted in users(fgraph, p):
        delta = sole_user(fgraph, weighted) if weighted is not None else None
        hot, *rest = made_by(delta, scalars.sub) or (None,)
        if rest != [weighted]:
            continue
        for factor, column in either_order(made_by(weighted, scalars.mul)):
            row_sums, *_ = made_by(column, DimShuffle, new_order=(0, "x")) or (column,)
            if factor is p and made_by(row_sums, Sum, axis=(1,)) == (hot,):
                break
        else:
            continue
        match made_by(hot, AdvancedIncSubtensor, idx_list=(0, 1)):
            case zeros, value, rows, y if (
                is_number((made_by(zeros, Alloc) or (zeros,))[0], 0)
                and picked_labels(rows, y) is y
                and y.dtype in LABELS
                and is_single(value)
            ):
                return delta, weighted, value, y
    return None


def result_for(user, x, delta):
    """Return what `user`, a use of `delta`, needs: gW, gb, or delta itself."""
    if made_by(user, Sum, axis=(0,)) == (delta,):
        return "gb"
    match made_by(user, Dot):
        case transposed, right if right is delta:
            if made_by(transposed, DimShuffle, new_order=(1, 0)) == (x,):
                return "gW"
    return "delta"


def times_count(value, y):
    """Return `value` times the number of labels; no labels make nothing of infinity."""
    n = label_count(y)
    return pt.switch(n, n.astype(value.dtype) * value, 0)


def weight_of_mean(value, y):
    """Return what the mean is multiplied by in a loss.

    The gradient of that loss by each log-likelihood is `value`, be it checked or not.
    """
    value, *_ = made_by(value, Assert) or (value,)
    match made_by(value, scalars.true_div):
        case numerator, count if counted_labels(count) is y:
            return -pt.squeeze(numerator).astype(value.dtype)
    return -times_count(pt.squeeze(value), y)
