"""The rewrites that put the fused operations into a compiled graph.

They run between PyTensor's `stabilize` (1.5) and `BlasOpt` (1.7), where the logarithm
of the softmax is a `LogSoftmax` already and the products are not BLAS calls yet; the
lengths they rely on are marked before `canonicalize` (1).
``mode.excluding("softmax_regression")`` gives PyTensor's own graph.
"""

from itertools import permutations

import numpy as np
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Constant
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.raise_op import Assert
from pytensor.scalar import basic as scalars
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Argmax, Dot, Sum
from pytensor.tensor.special import LogSoftmax, Softmax
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from utils.fusion.lengths import (
    MarkLabelCounts,
    RemoveLabelCounts,
    counted_labels,
    is_number,
    made_by,
    picked_labels,
    replace,
)
from utils.fusion.op import (
    LABELS,
    PRECISIONS,
    softmax_regression_errors,
    softmax_regression_loss,
)

TAG = "softmax_regression"
MOST_FEATURES = 16384  # where BLAS was measured to be as fast
MOST_CLASSES = 128


def users(fgraph, variable):
    """Return what is made of `variable`, None for an output of the function."""
    return [
        node.outputs[0] if len(node.outputs) == 1 else None
        for node, _ in fgraph.clients[variable]
    ]


def sole_user(fgraph, variable):
    """Return what is made of `variable`, where it is used once, else None."""
    found = users(fgraph, variable)
    return found[0] if len(found) == 1 else None


def affine_inputs(fgraph, logits):
    """Return (x, W, b) where `logits` is ``dot(x, W) + b`` of a size to fuse, or None.

    The shape of W has to be static: where it is unknown, BLAS may be the faster.
    """
    terms = made_by(logits, scalars.add)
    for product, bias in permutations(terms) if len(terms) == 2 else ():
        match made_by(product, Dot), made_by(bias, DimShuffle, new_order=("x", 0)):
            case (x, W), (b,):
                break
    else:
        return None
    n_in, n_out = W.type.shape if W.ndim == x.ndim == 2 else (None, None)
    fits = (
        None not in (n_in, n_out)
        and 1 <= n_in <= MOST_FEATURES
        and 2 <= n_out <= MOST_CLASSES
        and b.type.shape == (n_out,)
        and x.dtype == W.dtype == b.dtype
        and x.dtype in PRECISIONS
        and sole_user(fgraph, product) is logits
    )
    return (x, W, b) if fits else None


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
    """Return ``log_p[arange(y.shape[0]), y].mean()`` where `log_p` is used so, or None."""
    picked = sole_user(fgraph, log_p)
    if picked is None:
        return None
    match made_by(picked, AdvancedSubtensor, idx_list=(0, 1)):
        case values, rows, labels if values is log_p and labels is y:
            if picked_labels(rows, y) is y:
                return mean_over_labels(fgraph, picked, y)
    return None


def residual(fgraph, p):
    """Return (delta, y, scale) where the softmax `p` ends in a loss's gradient, or None.

    That is ``delta = hot - p * hot.sum(axis=1)[:, None]``, where row i of hot is zero
    but for ``hot[i, y[i]] = -scale / y.shape[0]``.
    """
    weighted = sole_user(fgraph, p)
    delta = sole_user(fgraph, weighted) if weighted is not None else None
    if delta is None:
        return None
    hot, *rest = made_by(delta, scalars.sub) or (None,)
    for factor, column in permutations(made_by(weighted, scalars.mul)):
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
        ):
            scale = scale_over_count(value, y)
            return None if scale is None else (delta, y, scale)
    return None


def scale_over_count(value, y):
    """Return c where `value` is ``-c / y.shape[0]`` for a constant c, else None."""
    value, *_ = made_by(value, Assert) or (value,)
    match made_by(value, scalars.true_div):
        case numerator, count if (
            all(value.type.broadcastable)
            and isinstance(numerator, Constant)
            and numerator.data.size == 1
            and counted_labels(count) is y
        ):
            return -numerator.data.item()
    return None


class FuseLoss(GraphRewriter):
    """Compute a loss and its gradients by W and b in one Op.

    With ``z = Add(Dot(x, W), ExpandDims(b))`` and n the length of y::

        Mul(-1, True_div(Sum(AdvancedSubtensor(LogSoftmax(z), ARange(n), y)), n))
        Dot(x.T, delta)
        Sum{axis=0}(delta)
          where delta = Sub(hot, Mul(Softmax(z), ExpandDims(Sum{axis=1}(hot))))
                hot = AdvancedIncSubtensor(Alloc(0), -1 / n, ARange(n), y)
          ->
        SoftmaxRegressionLoss(x, W, b, y)

    Nothing is replaced where another part of the graph needs what is between, or where
    the loss is computed without its gradients.
    """

    def apply(self, fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, Softmax) and node.op.axis == (1,):
                replacements = self.replacements(fgraph, *node.inputs, *node.outputs)
                for old, new in replacements:
                    replace(fgraph, old, new)

    def replacements(self, fgraph, z, p):
        """Return pairs (variable, its replacement) for the softmax `p` of `z`."""
        inputs, found = affine_inputs(fgraph, z), residual(fgraph, p)
        if inputs is None or found is None:
            return []
        delta, y, scale = found
        outputs = softmax_regression_loss(*inputs, y)
        loss, gW, gb = (
            v if scale == 1 else v * np.asarray(scale, v.dtype) for v in outputs
        )
        pairs = []
        for user in users(fgraph, delta):
            if user is None:
                return []
            match made_by(user, Dot):
                case left, right if right is delta and made_by(
                    left, DimShuffle, new_order=(1, 0)
                ) == (inputs[0],):
                    pairs.append((user, gW))
                    continue
            if made_by(user, Sum, axis=(0,)) != (delta,):
                return []
            pairs.append((user, gb))
        for user in users(fgraph, z):
            if user is p:
                continue
            if user is None or made_by(user, LogSoftmax, axis=(1,)) != (z,):
                return []
            mean = mean_of_log_likelihood(fgraph, user, y)
            if mean is None:
                return []
            pairs.append(self.negated(fgraph, mean, outputs[0]))
        return pairs

    def negated(self, fgraph, mean, loss):
        """Return the pair that replaces `mean`, which is minus the loss."""
        outer = sole_user(fgraph, mean)
        if outer is not None and outer.ndim == 0:
            factors = [v for v in made_by(outer, scalars.mul) if v is not mean]
            if made_by(outer, scalars.neg) or (
                len(factors) == 1 and is_number(factors[0], -1)
            ):
                return outer, loss
        return mean, -loss


class FuseErrors(GraphRewriter):
    """Count wrong predictions in one Op, without a softmax.

    Before and after, with ``z = Add(Dot(x, W), ExpandDims(b))``::

        True_div(Sum(Neq(Argmax{axis=1}(Softmax{axis=1}(z)), y)), n)
          ->
        SoftmaxRegressionErrors(x, W, b, y)
    """

    def apply(self, fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, Softmax) and node.op.axis == (1,):
                pair = self.replacement(fgraph, *node.inputs, *node.outputs)
                if pair is not None:
                    replace(fgraph, *pair)

    def replacement(self, fgraph, z, p):
        """Return (variable, its replacement) for the softmax `p` of `z`, or None."""
        inputs, predicted = affine_inputs(fgraph, z), sole_user(fgraph, p)
        if inputs is None or predicted is None or users(fgraph, z) != [p]:
            return None
        wrong = sole_user(fgraph, predicted)
        if wrong is None or made_by(predicted, Argmax, axis=(1,)) != (p,):
            return None
        for left, y in permutations(made_by(wrong, scalars.neq)):
            if left is predicted and y.ndim == 1 and y.dtype in LABELS:
                mean = mean_over_labels(fgraph, wrong, y)
                if mean is not None and mean.dtype == "float64":
                    return mean, softmax_regression_errors(*inputs, y)
        return None


class LoadNumbaDispatch(GraphRewriter):
    """Make the Ops known to PyTensor's Numba backend, which is not imported before."""

    def apply(self, fgraph):
        from utils.fusion import numba_dispatch  # noqa: F401


def register(rewriter, position):
    """Register for PyTensor's C linkers and for Numba, the backends that have the Ops.

    The database keeps its tags by object, so each backend has an object of its own.
    """
    name = f"softmax_regression_{rewriter.__name__}"
    for backend, tags in (("c", ("fast_run", "cxx_only")), ("numba", ("numba",))):
        optdb.register(
            f"{name}_{backend}", rewriter(), TAG, "fusion", *tags, position=position
        )


register(MarkLabelCounts, position=0.2)
register(FuseLoss, position=1.6)
register(FuseErrors, position=1.6)
register(RemoveLabelCounts, position=1.61)
optdb.register(f"{TAG}_dispatch", LoadNumbaDispatch(), "numba", position=1.6)
