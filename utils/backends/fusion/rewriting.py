"""The rewrites that put the fused operations into a compiled graph.

They run between PyTensor's `stabilize` (1.5) and `BlasOpt` (1.7), where the logarithm
of the softmax is a `LogSoftmax` already and the products are not BLAS calls yet; the
lengths they rely on are marked before `canonicalize` (1).
``mode.excluding("softmax_regression")`` gives PyTensor's own graph.
"""

from functools import wraps

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import graph_rewriter
from pytensor.graph.traversal import ancestors
from pytensor.scalar import basic as scalars
from pytensor.tensor.math import Argmax, Sum
from pytensor.tensor.special import Softmax
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from utils.backends.fusion import patterns
from utils.backends.fusion.c_op import LABELS
from utils.backends.fusion.lengths import (
    either_order,
    made_by,
    mark_label_counts,
    remove_label_counts,
    replace,
)
from utils.backends.fusion.op import (
    softmax_regression_errors,
    softmax_regression_loss,
    softmax_regression_rows,
)

TAG = "softmax_regression"


def cancel_probabilities(fgraph):
    """Divide by a probability before its gradient is multiplied by it again.

    For ``log(p[rows, y])``, of which the gradient is multiplied by p in the softmax::

        Mul(AdvancedIncSubtensor(zeros, v / p[rows, y], rows, y), p)
          ->
        AdvancedIncSubtensor(Mul(zeros, p), v, rows, y)
    """
    for node in fgraph.toposort():
        for hot, p in either_order(made_by(node.outputs[0], scalars.mul)):
            match made_by(hot, AdvancedIncSubtensor, set_instead_of_inc=False):
                case zeros, quotient, *places if made_by(p, Softmax):
                    value, picked = made_by(quotient, scalars.true_div) or (p, None)
                    if made_by(picked, AdvancedSubtensor) == (p, *places):
                        new = hot.owner.op(zeros * p, value, *places)
                        replace(fgraph, node.outputs[0], new)


def for_each_softmax(replacements):
    """Make a rewrite of a function of a graph, the logits of rows and their softmax.

    The function returns pairs (variable, its replacement).
    """

    @wraps(replacements)
    def rewrite(fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, Softmax) and node.op.axis == (1,):
                for pair in replacements(fgraph, *node.inputs, *node.outputs):
                    replace(fgraph, *pair)

    return rewrite


@for_each_softmax
def fuse_loss(fgraph, z, p):
    """Compute a loss and its gradients by W and b in one Op.

    With ``z = Add(Dot(x, W), ExpandDims(b))`` and n the length of y::

        Mul(-1, True_div(Sum(AdvancedSubtensor(LogSoftmax(z), ARange(n), y)), n))
        Dot(x.T, delta)
        Sum{axis=0}(delta)
          where delta = Sub(hot, Mul(Softmax(z), ExpandDims(Sum{axis=1}(hot))))
                hot = AdvancedIncSubtensor(Alloc(0), -1 / n, ARange(n), y)
          ->
        SoftmaxRegressionLoss(x, W, b, y)

    Where hot has another number ``-k / n``, the gradients are multiplied by k; other
    uses of the sum are ``-n * loss``. Other uses of the softmax or of delta are further
    results of ``SoftmaxRegressionRows(x, W, b, y)``.

    Nothing is replaced where another part of the graph needs another result in between,
    or where the loss is computed without its gradients by W and b.
    """
    inputs, found = patterns.affine_inputs(fgraph, z), patterns.residual(fgraph, p)
    if inputs is None or found is None:
        return []
    delta, weighted, value, y = found
    x, W, b = inputs
    uses = {
        user: patterns.result_for(user, x, delta)
        for user in patterns.users(fgraph, delta)
    }
    if not {"gW", "gb"} & {*uses.values()} or z in ancestors([y]):
        return []
    by_row = "delta" in uses.values() or patterns.users(fgraph, p) != [weighted]
    op = softmax_regression_rows if by_row else softmax_regression_loss
    outputs = op(patterns.pixels_of(x), W, b, y)
    results = dict(zip(op.results, outputs, strict=True))
    predicted = [
        user for user in patterns.users(fgraph, p) if made_by(user, Argmax, axis=(1,))
    ]
    pairs = [(user, results["y_pred"]) for user in predicted]
    pairs += [(p, results["p"])] if by_row else []
    weight = patterns.weight_of_mean(value, y)
    for user, name in uses.items():
        old = delta if name == "delta" else user
        pairs.append((old, weight.astype(W.dtype) * results[name]))
    for log_p in patterns.users(fgraph, z):
        if log_p is not p:
            losses = replaced_losses(fgraph, log_p, y, results["loss"])
            if not losses:
                return []
            pairs += losses
    return pairs


def replaced_losses(fgraph, log_p, y, loss):
    """Return the pairs that replace the sums of `log_p` at the labels, or None."""
    picked = patterns.log_likelihoods(fgraph, log_p, y)
    whole = -patterns.times_count(loss, y)
    sums = patterns.sums_of(fgraph, picked, whole) if picked is not None else None
    pairs = []
    for total, value in sums or []:
        mean = patterns.mean_over_labels(fgraph, total, y) if value is whole else None
        if total.dtype != loss.dtype:
            return None
        if mean is not None and mean.dtype == loss.dtype:
            pairs.append((mean, -loss))
        else:
            pairs.append((total, value.astype(total.dtype)))
    return pairs


@for_each_softmax
def fuse_errors(fgraph, z, p):
    """Count wrong predictions in one Op, without a softmax.

    Before and after, with ``z = Add(Dot(x, W), ExpandDims(b))``::

        True_div(Sum(Neq(Argmax{axis=1}(Softmax{axis=1}(z)), y)), n)
          ->
        SoftmaxRegressionErrors(x, W, b, y)
    """
    inputs, predicted = patterns.affine_inputs(fgraph, z), patterns.sole_user(fgraph, p)
    if inputs is None or predicted is None or patterns.users(fgraph, z) != [p]:
        return []
    wrong = patterns.sole_user(fgraph, predicted)
    if wrong is None or made_by(predicted, Argmax, axis=(1,)) != (p,):
        return []
    for left, y in either_order(made_by(wrong, scalars.neq)):
        if left is predicted and y.ndim == 1 and y.dtype in LABELS:
            total = patterns.sole_user(fgraph, wrong)
            if made_by(total, Sum) == (wrong,) and total.ndim == 0:
                mean = patterns.mean_over_labels(fgraph, total, y)
                if mean is not None and mean.dtype == "float64":
                    x, W, b = inputs
                    errors = softmax_regression_errors(patterns.pixels_of(x), W, b, y)
                    return [(mean, errors)]
    return []


def load_numba_dispatch(fgraph):
    """Register the Ops with PyTensor's Numba backend, which is not imported before."""
    from utils.backends.fusion import numba_dispatch  # noqa: F401


def register(rewrite, position):
    """Register for PyTensor's C linkers and for Numba, the backends that have the Ops.

    The database keeps tags by object, so each backend has an object of its own.
    """
    name = f"{TAG}_{rewrite.__name__}"
    for backend, *tags in (("c", "fast_run", "cxx_only"), ("numba", "numba")):
        rewriter, tags = graph_rewriter(rewrite), (TAG, "fusion", *tags)
        optdb.register(f"{name}_{backend}", rewriter, *tags, position=position)


register(cancel_probabilities, position=0.2)
register(mark_label_counts, position=0.2)
register(fuse_loss, position=1.6)
register(fuse_errors, position=1.6)
register(remove_label_counts, position=1.61)
dispatch = graph_rewriter(load_numba_dispatch)
optdb.register(f"{TAG}_dispatch", dispatch, "numba", position=1.6)
