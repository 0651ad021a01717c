"""The fused operations: a minibatch's loss with its gradients, and its errors."""

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply

from utils.backends.fusion.c_op import SoftmaxRegression


def pixels(x, dtype):
    """Return the values of `x`; bytes stand for byte / 256."""
    return x.astype(dtype) / np.asarray(256, dtype) if x.dtype == "uint8" else x


def predictions(z):
    """Return the argmax of each row's softmax, by its logits; 0 where that is NaN."""
    lost = np.isnan(z).any(axis=1) | np.isin(z.max(axis=1), (np.inf, -np.inf))
    return np.where(lost, 0, z.argmax(axis=1))


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
    results: tuple[str, ...] = "loss", "gW", "gb"

    def make_node(self, x, W, b, y):
        x, W, b, y = self.checked_inputs(x, W, b, y)
        (n, n_in), (n_rows, n_out) = x.type.shape, W.type.shape
        n_in, n_out = n_rows or n_in, n_out or b.type.shape[0]
        shapes = (), (n_in, n_out), (n_out,), (n, n_out), (n, n_out)
        outputs = [W.type.clone(shape=shape)() for shape in shapes]
        outputs.append(pt.TensorType("int64", shape=(n,))())
        return Apply(self, [x, W, b, y], outputs[: len(self.results)])

    def infer_shape(self, *arguments):
        # PyTensor 3.0 passes the graph before node and shapes
        *_, [(n, _), (n_in, n_out), _, _] = arguments
        shapes = (), (n_in, n_out), (n_out,), (n, n_out), (n, n_out), (n,)
        return shapes[: len(self.results)]

    def perform(self, node, inputs, output_storage):
        x, W, b, y = inputs
        self.check_shapes(x, W, b)
        x = pixels(x, W.dtype)
        rows = np.arange(len(y))
        z = x @ W + b
        with np.errstate(all="ignore"):  # NaN and infinity are results here
            predicted = predictions(z)
            z -= z.max(axis=1, keepdims=True)
            delta = np.exp(z)
            total = delta.sum(axis=1, keepdims=True)
            losses = np.log(total[: len(y), 0]) - z[rows, y]
            loss = losses.sum(dtype="float64") / np.float64(len(y))
            delta /= total
            p = delta.copy()
            delta[rows, y] -= 1
            delta[: len(y)] /= max(len(y), 1)
            delta[len(y) :] *= 0
            gb = delta.sum(axis=0, dtype="float64")
            values = loss, x.T @ delta, gb, p, delta, predicted
        for output, storage, value in zip(
            node.outputs, output_storage, values, strict=False
        ):
            storage[0] = np.asarray(value, dtype=output.dtype)


class SoftmaxRegressionRows(SoftmaxRegressionLoss):
    """The same, and the rows that it comes from, for what else is computed of them.

    Returns
    -------
    loss, gW, gb
        As for `SoftmaxRegressionLoss`.
    p : matrix (n, n_out)
        The softmax of each row, with a label or not.
    delta : matrix (n, n_out)
        The gradient of the loss by z.
    y_pred : vector (n,), int64
        The most probable class of each row, the first of equal ones; 0 where the
        softmax is NaN, as NumPy's argmax has it.
    """

    c_function = "loss_and_rows"
    results = "loss", "gW", "gb", "p", "delta", "y_pred"


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
            value = np.count_nonzero(predictions(z) != y) / np.float64(len(y))
        output_storage[0][0] = np.asarray(value)


softmax_regression_loss = SoftmaxRegressionLoss()
softmax_regression_rows = SoftmaxRegressionRows()
softmax_regression_errors = SoftmaxRegressionErrors()
