"""The rewrites that put the fused operations into a compiled graph.

They run between PyTensor's `stabilize` (1.5) and `BlasOpt` (1.7), where the logarithm
of the softmax is a `LogSoftmax` already and the products are not BLAS calls yet; the
lengths they rely on are marked before `canonicalize` (1).
``mode.excluding("softmax_regression")`` gives PyTensor's own graph.
"""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.scalar import basic as scalars
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Argmax, Dot, Sum
from pytensor.tensor.special import LogSoftmax, Softmax

from utils.backends.fusion.c_op import LABELS
from utils.backends.fusion.lengths import (
    MarkLabelCounts,
    RemoveLabelCounts,
    either_order,
    is_number,
    made_by,
    replace,
)
from utils.backends.fusion.op import softmax_regression_errors, softmax_regression_loss
from utils.backends.fusion.patterns import (
    affine_inputs,
    mean_of_log_likelihood,
    mean_over_labels,
    pixels_of,
    residual,
    sole_user,
    users,
)

TAG = "softmax_regression"


class FuseSoftmax(GraphRewriter):
    """Replace what `replacements` finds for each softmax of rows in a graph."""

    def apply(self, fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, Softmax) and node.op.axis == (1,):
                for pair in self.replacements(fgraph, *node.inputs, *node.outputs):
                    replace(fgraph, *pair)


class FuseLoss(FuseSoftmax):
    """Compute a loss and its gradients by W and b in one Op.

    With ``z = Add(Dot(x, W), ExpandDims(b))`` and n the length of y::

        Mul(-1, True_div(Sum(AdvancedSubtensor(LogSoftmax(z), ARange(n), y)), n))
        Dot(x.T, delta)
        Sum{axis=0}(delta)
          where delta = Sub(hot, Mul(Softmax(z), ExpandDims(Sum{axis=1}(hot))))
                hot = AdvancedIncSubtensor(Alloc(0), -1 / n, ARange(n), y)
          ->
        SoftmaxRegressionLoss(x, W, b, y)

    Nothing is replaced where another part of the graph needs a result in between, or
    where the loss is computed without its gradients.
    """

    def replacements(self, fgraph, z, p):
        """Return pairs (variable, its replacement) for the softmax `p` of `z`."""
        inputs, found = affine_inputs(fgraph, z), residual(fgraph, p)
        if inputs is None or found is None:
            return []
        delta, y = found
        x, W, b = inputs
        loss, gW, gb = softmax_regression_loss(pixels_of(x), W, b, y)
        pairs = []
        for user in users(fgraph, delta):
            if user is None:
                return []
            match made_by(user, Dot):
                case left, right if right is delta and made_by(
                    left, DimShuffle, new_order=(1, 0)
                ) == (x,):
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
            pairs.append(self.negated(fgraph, mean, loss))
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


class FuseErrors(FuseSoftmax):
    """Count wrong predictions in one Op, without a softmax.

    Before and after, with ``z = Add(Dot(x, W), ExpandDims(b))``::

        True_div(Sum(Neq(Argmax{axis=1}(Softmax{axis=1}(z)), y)), n)
          ->
        SoftmaxRegressionErrors(x, W, b, y)
    """

    def replacements(self, fgraph, z, p):
        """Return pairs (variable, its replacement) for the softmax `p` of `z`."""
        inputs, predicted = affine_inputs(fgraph, z), sole_user(fgraph, p)
        if inputs is None or predicted is None or users(fgraph, z) != [p]:
            return []
        wrong = sole_user(fgraph, predicted)
        if wrong is None or made_by(predicted, Argmax, axis=(1,)) != (p,):
            return []
        for left, y in either_order(made_by(wrong, scalars.neq)):
            if left is predicted and y.ndim == 1 and y.dtype in LABELS:
                mean = mean_over_labels(fgraph, wrong, y)
                if mean is not None and mean.dtype == "float64":
                    x, W, b = inputs
                    errors = softmax_regression_errors(pixels_of(x), W, b, y)
                    return [(mean, errors)]
        return []


class LoadNumbaDispatch(GraphRewriter):
    """Register the Ops with PyTensor's Numba backend, which is not imported before."""

    def apply(self, fgraph):
        from utils.backends.fusion import numba_dispatch  # noqa: F401


def register(rewriter, position):
    """Register for PyTensor's C linkers and for Numba, the backends that have the Ops.

    The database keeps tags by object, so each backend has an object of its own.
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
