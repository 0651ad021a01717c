"""The fused operations for PyTensor's Numba backend.

Imported only where a function is compiled for Numba.
"""

import os
from pathlib import Path
from zlib import crc32

import numba
import numpy as np
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_and_cache_key,
)

from utils.backends.fusion import numba_loops
from utils.backends.fusion.numba_loops import PANEL, outer, share_loss, share_mistakes
from utils.backends.fusion.op import (
    SoftmaxRegressionErrors,
    SoftmaxRegressionLoss,
    SoftmaxRegressionRows,
)

THREAD_WORK = 1e6  # multiply-adds that are worth one more thread
MOST_THREADS = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0])
# Asking starts Numba's threads, which makes `prange` known to code that is loaded.
# Numba itself does so only for kept functions that were compiled together with their
# loops: one that was compiled around kept loops would jump to address 0.
MOST_THREADS = min(MOST_THREADS or 2**16, numba.get_num_threads())
# PyTensor keeps compiled functions under this key, and does not look at the source.
SOURCES = [Path(file).read_bytes() for file in (__file__, numba_loops.__file__)]
CACHE_KEY = f"{crc32(b''.join(SOURCES))}, {MOST_THREADS}"


@numba_njit(parallel=True)
def all_losses(x, W, b, y, shares, loss, bad, Wt, gWt, gb, p, delta, y_pred):
    for t in numba.prange(shares):
        begin, end = len(x) * t // shares, len(x) * (t + 1) // shares
        loss[t], bad[t] = share_loss(
            x, W, b, y, begin, end, Wt[t], gWt[t], gb[t], p, delta, y_pred
        )


@numba_njit(parallel=True)
def all_mistakes(x, W, b, y, shares, mistakes, Wt):
    for t in numba.prange(shares):
        begin, end = len(x) * t // shares, len(x) * (t + 1) // shares
        mistakes[t] = share_mistakes(x, W, b, y, begin, end, Wt[t])


@outer
def contiguous(array):
    """Copy `array` if it is not contiguous: the loops are compiled for one layout."""
    return np.ascontiguousarray(array)


@outer
def shares_for(x, n_out):
    """Return the number of shares to split the rows into, one for each thread."""
    return min(MOST_THREADS, 1 + int(x.size * n_out / THREAD_WORK))


@outer
def loss_and_rows(x, W, b, y, columns):
    if not (x.shape[1] == len(W) and len(b) == W.shape[1] > 0):
        raise ValueError("Softmax regression: shapes of input, W and b do not fit.")
    if len(y) > len(x):
        raise IndexError("Softmax regression: more labels than examples.")
    n_in, n_out = W.shape
    classes, shares = -(-n_out // PANEL) * PANEL, shares_for(x, n_out)
    Wt = np.empty((shares, classes, n_in), W.dtype)
    gWt = np.empty((shares, classes, n_in), W.dtype)
    gb = np.empty((shares, classes))
    loss, bad = np.empty(shares), np.empty(shares, np.int64)
    x, W, b, y = contiguous(x), contiguous(W), contiguous(b), contiguous(y)
    p = np.empty((len(x), columns), W.dtype)
    delta, y_pred = np.empty_like(p), np.empty(len(x), np.int64)
    all_losses(x, W, b, y, shares, loss, bad, Wt, gWt, gb, p, delta, y_pred)
    gW, gb_sum, total = np.zeros(W.shape, W.dtype), np.zeros(n_out, W.dtype), 0.0
    for t in range(shares):
        if bad[t] >= 0:
            raise IndexError("Softmax regression: a label is out of bounds.")
        total += loss[t]
    for c in range(n_out):
        for t in range(shares):
            gb_sum[c] += gb[t, c]
        for k in range(n_in):
            for t in range(shares):
                gW[k, c] += gWt[t, c, k]
    mean = np.empty((), W.dtype)
    mean[()] = total / np.float64(len(y))
    return mean, gW, gb_sum, p, delta, y_pred


@outer
def loss_and_gradient(x, W, b, y):
    return loss_and_rows(x, W, b, y, 0)[:3]


@outer
def loss_and_all_rows(x, W, b, y):
    return loss_and_rows(x, W, b, y, len(b))


@outer
def errors(x, W, b, y):
    fits = x.shape[1] == len(W) and len(b) == W.shape[1] > 0 and len(y) == len(x)
    if not fits:
        raise ValueError("Softmax regression: shapes of x, W, b and y do not fit.")
    classes, shares = -(-len(b) // PANEL) * PANEL, shares_for(x, len(b))
    mistakes = np.empty(shares, np.int64)
    Wt = np.empty((shares, classes, len(W)), W.dtype)
    x, W, b, y = contiguous(x), contiguous(W), contiguous(b), contiguous(y)
    all_mistakes(x, W, b, y, shares, mistakes, Wt)
    total = 0
    for t in range(shares):
        total += mistakes[t]
    mean = np.empty(())
    mean[()] = total / np.float64(len(y))
    return mean


@register_funcify_and_cache_key(SoftmaxRegressionLoss)
def numba_funcify_softmax_regression_loss(op, **kwargs):
    return loss_and_gradient, CACHE_KEY


@register_funcify_and_cache_key(SoftmaxRegressionRows)
def numba_funcify_softmax_regression_rows(op, **kwargs):
    return loss_and_all_rows, CACHE_KEY


@register_funcify_and_cache_key(SoftmaxRegressionErrors)
def numba_funcify_softmax_regression_errors(op, **kwargs):
    return errors, CACHE_KEY
