"""The fused operations for PyTensor's Numba backend.

Imported only where a function is compiled for Numba.
"""

import numpy as np
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_and_cache_key,
)

from utils.backends.fusion.numba_kept import CACHE_KEY, kept_run
from utils.backends.fusion.op import (
    SoftmaxRegressionErrors,
    SoftmaxRegressionLoss,
    SoftmaxRegressionRows,
)

outer = numba_njit(fastmath=False, error_model="numpy")


def runner(node):
    """Return a function that computes a node, and the key to keep it under."""
    x, W, _, y = node.inputs
    compiled, width = kept_run(x.dtype, W.dtype, y.dtype, W.type.shape[1])

    @outer
    def run(x, W, b, y, gW, gb, p, delta, y_pred):
        n_in, n_out = W.shape
        (x_row, x_column), (W_row, W_column) = x.strides, W.strides
        # fmt: off
        return compiled(
            width, W.itemsize,
            x.ctypes.data, W.ctypes.data, b.ctypes.data, y.ctypes.data,
            len(x), len(y), n_in, n_out, x_row // x.itemsize, x_column // x.itemsize,
            W_row // W.itemsize, W_column // W.itemsize, b.strides[0] // W.itemsize,
            y.strides[0] // y.itemsize, gW, gb, p, delta, y_pred,
        )
        # fmt: on

    return run, f"{CACHE_KEY}, {compiled.symbol}"


@register_funcify_and_cache_key(SoftmaxRegressionLoss)
@register_funcify_and_cache_key(SoftmaxRegressionRows)
def numba_funcify_softmax_regression_loss(op, node, **kwargs):
    run, key = runner(node)
    n_results = len(node.outputs)
    by_row = n_results > 3

    @outer
    def loss_and_rows(x, W, b, y):
        check(x, W, b, y)
        gW, gb = np.empty(W.shape, W.dtype), np.empty(b.shape, W.dtype)
        n = len(x) if by_row else 0
        p, delta = np.empty((n, len(b)), W.dtype), np.empty((n, len(b)), W.dtype)
        y_pred = np.empty(n, np.int64)
        rows = p.ctypes.data, delta.ctypes.data, y_pred.ctypes.data
        rows = rows if by_row else (0, 0, 0)
        total = run(x, W, b, y, gW.ctypes.data, gb.ctypes.data, *rows)
        return (mean(total, W, y), gW, gb, p, delta, y_pred)[:n_results]

    return loss_and_rows, f"{key}, {n_results}"


@outer
def check(x, W, b, y):
    if not (x.shape[1] == len(W) and len(b) == W.shape[1] > 0):
        raise ValueError("Softmax regression: shapes of input, W and b do not fit.")
    if len(y) > len(x):
        raise IndexError("Softmax regression: more labels than examples.")


@outer
def mean(total, W, y):
    if total < 0:
        raise IndexError("Softmax regression: a label is out of bounds.")
    loss = np.empty((), W.dtype)
    loss[()] = total / np.float64(len(y))
    return loss


@register_funcify_and_cache_key(SoftmaxRegressionErrors)
def numba_funcify_softmax_regression_errors(op, node, **kwargs):
    run, key = runner(node)

    @outer
    def errors(x, W, b, y):
        fits = x.shape[1] == len(W) and len(b) == W.shape[1] > 0 and len(y) == len(x)
        if not fits:
            raise ValueError("Softmax regression: shapes of x, W, b and y do not fit.")
        mean = np.empty(())
        mean[()] = run(x, W, b, y, 0, 0, 0, 0, 0) / np.float64(len(y))
        return mean

    return errors, key
