"""The fused operations: a minibatch's loss with its gradients, and its errors."""

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import (
    DisconnectedType,
    disconnected_type,
    grad_not_implemented,
)
from pytensor.graph.basic import Apply
from pytensor.tensor.special import softmax

from utils.backends.fusion.c_op import SoftmaxRegression


def pixels(x, dtype):
    """Return the values of `x`, an array or a variable: bytes stand for byte / 256."""
    return x.astype(dtype) / np.asarray(256, dtype) if x.dtype == "uint8" else x


class SoftmaxRegressionLoss(SoftmaxRegression):
    r"""Mean negative log-likelihood of a softmax regression, with its gradients.

    With :math:`z = x W + b` and :math:`n` labels,

    .. math::
        \ell = \frac{1}{n} \sum_i \log \sum_c e^{z_{ic}} - z_{i y_i}, \quad
        \delta_{ic} = \frac{\partial \ell}{\partial z_{ic}}
                    = \frac{1}{n} (\mathrm{softmax}(z_i)_c - [c = y_i]), \quad
        \frac{\partial \ell}{\partial W} = x^T \delta, \quad
        \frac{\partial \ell}{\partial b} = \sum_i \delta_i

    (Bishop, Pattern Recognition and Machine Learning, 2006, section 4.3.4).

    Parameters
    ----------
    x : matrix (n, n_in), of the dtype of W, or uint8
        One example a row; bytes stand for ``byte / 256``.
    W : matrix (n_in, n_out), float32 or float64
    b : vector (n_out,), of the dtype of W
    y : vector (n,), of any integer type but uint64
        Labels; those from -n_out to -1 count from the last class, as in NumPy. Where
        there are fewer labels than rows the first rows are counted.

    Returns
    -------
    loss : scalar
        NaN for no labels.
    gW : matrix (n_in, n_out)
    gb : vector (n_out,)
        All of the dtype of W.

    Raises
    ------
    IndexError
        At run time: a label that is no class, or more labels than rows.
    """

    c_function = "loss_and_gradient"

    def make_node(self, x, W, b, y):
        x, W, b, y = self.checked_inputs(x, W, b, y)
        loss = W.type.clone(shape=())()
        return Apply(self, [x, W, b, y], [loss, W.type(), b.type()])

    def infer_shape(self, *arguments):
        *_, shapes = arguments  # PyTensor 3.0 passes the graph before node and shapes
        return [(), shapes[1], shapes[2]]

    def perform(self, node, inputs, output_storage):
        x, W, b, y = inputs
        self.check_shapes(x, W, b)
        x = pixels(x, W.dtype)
        rows = np.arange(len(y))
        z = x @ W + b
        with np.errstate(all="ignore"):  # NaN and infinity are results here
            z -= z.max(axis=1, keepdims=True)
            delta = np.exp(z)
            total = delta.sum(axis=1, keepdims=True)
            losses = np.log(total[: len(y), 0]) - z[rows, y]
            loss = losses.sum(dtype="float64") / np.float64(len(y))
            delta /= total
            delta[rows, y] -= 1
            delta[: len(y)] /= max(len(y), 1)
            delta[len(y) :] *= 0
            values = loss, x.T @ delta, delta.sum(axis=0, dtype="float64")
        for output, storage, value in zip(
            node.outputs, output_storage, values, strict=True
        ):
            storage[0] = np.asarray(value, dtype=output.dtype)

    def connection_pattern(self, node):
        return [[True] * 3] * 3 + [[False] * 3]

    def pullback(self, inputs, outputs, cotangents):
        """Scale the gradients that are computed already; that of x is a new graph."""
        x, W, b, y = inputs
        _, gW, gb = outputs
        g = cotangents[0]
        if any(not isinstance(c.type, DisconnectedType) for c in cotangents[1:]):
            gradients = [grad_not_implemented(self, i, v) for i, v in enumerate(inputs)]
            return [*gradients[:3], disconnected_type()]
        if x.dtype == "uint8":
            return [x.zeros_like(dtype=W.dtype), g * gW, g * gb, disconnected_type()]
        n = y.shape[0].astype(x.dtype)
        delta = softmax(pt.dot(x, W) + b, axis=1)[: y.shape[0]]
        delta = delta[pt.arange(y.shape[0]), y].inc(-1) / n
        gx = pt.zeros_like(x)[: y.shape[0]].set(pt.dot(delta, W.T))
        return [g * gx, g * gW, g * gb, disconnected_type()]


class SoftmaxRegressionErrors(SoftmaxRegression):
    """Share of the examples whose most probable class is not their label.

    The argmax of a softmax is the argmax of its logits, so nothing is exponentiated.

    Parameters
    ----------
    x, W, b, y
        As for `SoftmaxRegressionLoss`; here any label is allowed, and one that is no
        class is an error of the model's.

    Returns
    -------
    errors : scalar, float64
        From 0 to 1; NaN for no examples. A row whose softmax would be NaN is predicted
        to be class 0, as NumPy's argmax has it.

    Raises
    ------
    ValueError
        At run time: the numbers of rows and of labels differ.
    """

    c_function = "errors"

    def make_node(self, x, W, b, y):
        return Apply(self, self.checked_inputs(x, W, b, y), [pt.dscalar()])

    def infer_shape(self, *arguments):
        return [()]

    def perform(self, node, inputs, output_storage):
        x, W, b, y = inputs
        self.check_shapes(x, W, b)
        x = pixels(x, W.dtype)
        if len(x) != len(y):
            raise ValueError(
                f"Softmax regression: {len(y)} labels for {len(x)} examples."
            )
        z = x @ W + b
        with np.errstate(all="ignore"):
            lost = np.isnan(z.sum(axis=1)) | (z.max(axis=1) == np.inf)
            wrong = np.where(lost, 0, z.argmax(axis=1)) != y
            value = np.count_nonzero(wrong) / np.float64(len(y))
        output_storage[0][0] = np.asarray(value)

    def connection_pattern(self, node):
        return [[False]] * 4

    def pullback(self, inputs, outputs, cotangents):
        return [disconnected_type() for _ in inputs]


softmax_regression_loss = SoftmaxRegressionLoss()
softmax_regression_errors = SoftmaxRegressionErrors()
