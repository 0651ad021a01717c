"""The fused operations for PyTensor's Numba backend.

What `kernel.c` does, for machines that have no compiler. The innermost loops run over
the features, so that LLVM turns them into vectors. All is written as plain loops:
Numba's array expressions take it seconds to compile. Imported only where a function is
compiled for Numba.
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

from utils.fusion.op import SoftmaxRegressionErrors, SoftmaxRegressionLoss

CHUNK = 48  # rows, which the gradient reads for the second time from the cache
PANEL = 5  # classes; the loops below are written out for five
THREAD_WORK = 1e6  # multiply-adds that are worth one more thread
MOST_THREADS = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0])
MOST_THREADS = min(MOST_THREADS or 2**16, numba.config.NUMBA_NUM_THREADS)
# PyTensor keeps compiled functions under this key, and does not look at the source.
CACHE_KEY = f"{crc32(Path(__file__).read_bytes())}, {MOST_THREADS}"

# Sums over features may be taken in any order; NaN and infinity keep their meaning. All
# else stays in order, which PyTensor's default would not keep.
inner = numba_njit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
outer = numba_njit(fastmath=False, error_model="numpy")


@inner
def chunk_logits(x, first, rows, Wt, z):
    """Set z (CHUNK, classes) to ``x @ Wt.T``, two rows and five classes at a time."""
    zero = x.dtype.type(0)
    for i in range(0, rows, 2):
        j = min(i + 1, rows - 1)
        x0, x1 = x[first + i], x[first + j]
        for c in range(0, len(Wt), PANEL):
            w0, w1, w2, w3, w4 = Wt[c], Wt[c + 1], Wt[c + 2], Wt[c + 3], Wt[c + 4]
            s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = t3 = t4 = zero
            for k in range(x.shape[1]):
                s0 += x0[k] * w0[k]
                s1 += x0[k] * w1[k]
                s2 += x0[k] * w2[k]
                s3 += x0[k] * w3[k]
                s4 += x0[k] * w4[k]
                t0 += x1[k] * w0[k]
                t1 += x1[k] * w1[k]
                t2 += x1[k] * w2[k]
                t3 += x1[k] * w3[k]
                t4 += x1[k] * w4[k]
            zi, zj = z[i], z[j]
            zi[c], zi[c + 1], zi[c + 2], zi[c + 3], zi[c + 4] = s0, s1, s2, s3, s4
            zj[c], zj[c + 1], zj[c + 2], zj[c + 3], zj[c + 4] = t0, t1, t2, t3, t4


@inner
def chunk_gradient(x, first, rows, delta, gWt):
    """Add ``delta.T @ x`` to gWt (classes, n_in), four rows, five classes at a time."""
    last = first + rows - 1
    for r in range(0, rows, 4):
        at = first + r
        x0, x1 = x[at], x[min(at + 1, last)]
        x2, x3 = x[min(at + 2, last)], x[min(at + 3, last)]
        d0, d1, d2, d3 = delta[r], delta[r + 1], delta[r + 2], delta[r + 3]
        for c in range(0, len(gWt), PANEL):
            e, f, g, h, i = c, c + 1, c + 2, c + 3, c + 4
            e0, e1, e2, e3, ge = d0[e], d1[e], d2[e], d3[e], gWt[e]
            f0, f1, f2, f3, gf = d0[f], d1[f], d2[f], d3[f], gWt[f]
            g0, g1, g2, g3, gg = d0[g], d1[g], d2[g], d3[g], gWt[g]
            h0, h1, h2, h3, gh = d0[h], d1[h], d2[h], d3[h], gWt[h]
            i0, i1, i2, i3, gi = d0[i], d1[i], d2[i], d3[i], gWt[i]
            for k in range(x.shape[1]):
                p0, p1, p2, p3 = x0[k], x1[k], x2[k], x3[k]
                ge[k] += p0 * e0 + p1 * e1 + p2 * e2 + p3 * e3
                gf[k] += p0 * f0 + p1 * f1 + p2 * f2 + p3 * f3
                gg[k] += p0 * g0 + p1 * g1 + p2 * g2 + p3 * g3
                gh[k] += p0 * h0 + p1 * h1 + p2 * h2 + p3 * h3
                gi[k] += p0 * i0 + p1 * i1 + p2 * i2 + p3 * i3


@outer
def pack(W, Wt):
    """Set the first rows of Wt (classes, n_in) to W transposed, the others to zero."""
    for c in range(len(Wt)):
        for k in range(len(W)):
            Wt[c, k] = W[k, c] if c < W.shape[1] else 0


@outer
def share_loss(x, W, b, y, begin, end, Wt, gWt, gb):
    """Set the gradients of rows begin..end; return their loss and a bad row or -1."""
    n_out, n_labels = len(b), len(y)
    zero = x.dtype.type(0)
    scale = x.dtype.type(1 / max(n_labels, 1))
    z = np.empty((CHUNK, len(Wt)), x.dtype)
    loss = 0.0
    pack(W, Wt)
    for c in range(len(Wt)):
        gb[c] = 0
        for k in range(len(W)):
            gWt[c, k] = 0
    for first in range(begin, end, CHUNK):
        rows = min(CHUNK, end - first)
        chunk_logits(x, first, rows, Wt, z)
        for r in range(CHUNK):
            label = np.int64(-1)
            if first + r < n_labels and r < rows:
                label = np.int64(y[first + r])
                if label < 0:
                    label += n_out
                if label < 0 or label >= n_out:
                    return loss, first + r
            largest, total = z[r, 0] + b[0], zero
            for c in range(n_out):
                z[r, c] += b[c]
                if z[r, c] > largest:
                    largest = z[r, c]
            if label >= 0:
                loss += largest - z[r, label]
            for c in range(n_out):
                z[r, c] = np.exp(z[r, c] - largest)
                total += z[r, c]
            weight = scale / total if label >= 0 else zero * total
            for c in range(n_out):
                z[r, c] = z[r, c] * weight if r < rows else zero
            if label >= 0:
                loss += np.log(total)
                z[r, label] -= scale
            for c in range(n_out):
                gb[c] += z[r, c]
        chunk_gradient(x, first, rows, z, gWt)
    return loss, -1


@outer
def share_mistakes(x, W, b, y, begin, end, Wt):
    """Return for how many of the rows begin..end another class is the most probable."""
    n_out, mistakes = len(b), 0
    z = np.empty((CHUNK, len(Wt)), x.dtype)
    pack(W, Wt)
    for first in range(begin, end, CHUNK):
        rows = min(CHUNK, end - first)
        chunk_logits(x, first, rows, Wt, z)
        for r in range(rows):
            best, total = 0, x.dtype.type(0)
            for c in range(n_out):
                z[r, c] += b[c]
                total += z[r, c]
                if z[r, c] > z[r, best]:
                    best = c
            if np.isnan(total) or z[r, best] == np.inf:
                best = 0  # the softmax would be NaN, and its argmax 0
            mistakes += best != y[first + r]
    return mistakes


@numba_njit(parallel=True)
def all_losses(x, W, b, y, shares, loss, bad, Wt, gWt, gb):
    for t in numba.prange(shares):
        begin, end = len(x) * t // shares, len(x) * (t + 1) // shares
        loss[t], bad[t] = share_loss(x, W, b, y, begin, end, Wt[t], gWt[t], gb[t])


@numba_njit(parallel=True)
def all_mistakes(x, W, b, y, shares, mistakes, Wt):
    for t in numba.prange(shares):
        begin, end = len(x) * t // shares, len(x) * (t + 1) // shares
        mistakes[t] = share_mistakes(x, W, b, y, begin, end, Wt[t])


@outer
def contiguous(array):
    """Return `array`, copied where it is not: the loops are compiled for one layout."""
    return np.ascontiguousarray(array)


@outer
def shares_for(x, n_out):
    """Return into how many shares the rows are split, one a thread."""
    return min(MOST_THREADS, 1 + int(x.size * n_out / THREAD_WORK))


@outer
def loss_and_gradient(x, W, b, y):
    if x.shape[1] != len(W) or len(b) != W.shape[1]:
        raise ValueError("Softmax regression: shapes of input, W and b do not fit.")
    if len(y) > len(x):
        raise IndexError("Softmax regression: more labels than examples.")
    n_in, n_out = W.shape
    classes, shares = -(-n_out // PANEL) * PANEL, shares_for(x, n_out)
    Wt = np.empty((shares, classes, n_in), x.dtype)
    gWt = np.empty((shares, classes, n_in), x.dtype)
    gb = np.empty((shares, classes))
    loss, bad = np.empty(shares), np.empty(shares, np.int64)
    x, W, b, y = contiguous(x), contiguous(W), contiguous(b), contiguous(y)
    all_losses(x, W, b, y, shares, loss, bad, Wt, gWt, gb)
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
    mean = np.empty((), x.dtype)
    mean[()] = total / np.float64(len(y))
    return mean, gW, gb_sum


@outer
def errors(x, W, b, y):
    if x.shape[1] != len(W) or len(b) != W.shape[1] or len(y) != len(x):
        raise ValueError("Softmax regression: shapes of x, W, b and y do not fit.")
    classes, shares = -(-len(b) // PANEL) * PANEL, shares_for(x, len(b))
    mistakes = np.empty(shares, np.int64)
    Wt = np.empty((shares, classes, len(W)), x.dtype)
    x, W, b, y = contiguous(x), contiguous(W), contiguous(b), contiguous(y)
    all_mistakes(x, W, b, y, shares, mistakes, Wt)
    total = 0
    for t in range(shares):
        total += mistakes[t]
    mean = np.empty(())
    mean[()] = total / np.float64(len(y))
    return mean


def cache_key(node):
    """Return what tells one compiled function in PyTensor's cache from another.

    One for each set of types: a kept function with several signatures was seen to
    crash the process that loads it.
    """
    return f"{CACHE_KEY}, {[variable.type for variable in node.inputs]}"


@register_funcify_and_cache_key(SoftmaxRegressionLoss)
def numba_funcify_softmax_regression_loss(op, node, **kwargs):
    return loss_and_gradient, cache_key(node)


@register_funcify_and_cache_key(SoftmaxRegressionErrors)
def numba_funcify_softmax_regression_errors(op, node, **kwargs):
    return errors, cache_key(node)
