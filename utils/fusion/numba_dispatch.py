"""The fused operations for PyTensor's Numba backend.

What `kernel.c` does, for machines that have no compiler. The innermost loops run over
the features, so that LLVM turns them into vectors. All is written as plain loops:
Numba's array expressions take it seconds to compile. Imported only where a function is
compiled for Numba.
"""

import os

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_and_cache_key,
)

from utils.fusion.op import SoftmaxRegressionErrors, SoftmaxRegressionLoss

CHUNK = 48  # rows, which the gradient reads for the second time from the cache
PANEL = 10  # n_out is padded to a multiple: classes go in fives and in twos
THREAD_WORK = 1e6  # multiply-adds that are worth one more thread
MOST_THREADS = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0])
MOST_THREADS = min(MOST_THREADS or 2**16, numba.config.NUMBA_NUM_THREADS)
CACHE_KEY = f"1, {MOST_THREADS}"  # raise the first number whenever this file changes

# Sums over features may be taken in any order; NaN and infinity keep their meaning.
inner = numba_njit(fastmath={"reassoc", "contract", "nsz"})


@intrinsic
def prefetch(typing_context, address):
    """Start to load the cache line at `address`; any address will do."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        fetch = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        # For reading, to be kept in all levels, from the data cache.
        builder.call(fetch, [pointer, flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(types.uintp), generate


@inner
def chunk_logits(x, first, rows, Wt, z):
    """Set z (CHUNK, classes) to ``x @ Wt.T``, two rows and five classes at a time."""
    zero = x.dtype.type(0)
    for i in range(0, rows, 2):
        j = min(i + 1, rows - 1)
        x0, x1 = x[first + i], x[first + j]
        # The same rows of the next chunk; LLVM's loops alone wait for memory.
        ahead = x.ctypes.data + (first + i + CHUNK) * x.strides[0]
        for line in range(ahead, ahead + 2 * x.strides[0], 64):
            prefetch(line)
        for c in range(0, len(Wt), 5):
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
            z[i, c], z[i, c + 1], z[i, c + 2], z[i, c + 3], z[i, c + 4] = (
                s0,
                s1,
                s2,
                s3,
                s4,
            )
            z[j, c], z[j, c + 1], z[j, c + 2], z[j, c + 3], z[j, c + 4] = (
                t0,
                t1,
                t2,
                t3,
                t4,
            )


@inner
def chunk_gradient(x, first, rows, delta, gWt):
    """Add ``delta.T @ x`` to gWt (classes, n_in), four rows and two classes at a time."""
    last = first + rows - 1
    for i in range(0, rows, 4):
        at = first + i
        x0, x1 = x[at], x[min(at + 1, last)]
        x2, x3 = x[min(at + 2, last)], x[min(at + 3, last)]
        d, e, f, h = delta[i], delta[i + 1], delta[i + 2], delta[i + 3]
        for c in range(0, len(gWt), 2):
            d0, d1, d2, d3 = d[c], e[c], f[c], h[c]
            e0, e1, e2, e3 = d[c + 1], e[c + 1], f[c + 1], h[c + 1]
            g0, g1 = gWt[c], gWt[c + 1]
            for k in range(x.shape[1]):
                g0[k] += (x0[k] * d0 + x1[k] * d1) + (x2[k] * d2 + x3[k] * d3)
                g1[k] += (x0[k] * e0 + x1[k] * e1) + (x2[k] * e2 + x3[k] * e3)


@inner
def pack(W, Wt):
    """Set the first rows of Wt (classes, n_in) to W transposed, the others to zero."""
    for c in range(len(Wt)):
        for k in range(len(W)):
            Wt[c, k] = W[k, c] if c < W.shape[1] else 0


@inner
def share_loss(x, W, b, y, begin, end, Wt, gWt, gb):
    """Set the gradients of the rows begin..end; return their loss and a bad row or -1."""
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


@inner
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


@numba_njit
def shares_for(x, n_out):
    """Return into how many shares the rows are split, one a thread."""
    return min(MOST_THREADS, 1 + int(x.size * n_out / THREAD_WORK))


@numba_njit
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
    all_losses(np.ascontiguousarray(x), W, b, y, shares, loss, bad, Wt, gWt, gb)
    mean, gW, gb_sum = (
        np.zeros(()),
        np.zeros(W.shape, W.dtype),
        np.zeros(n_out, W.dtype),
    )
    total = 0.0
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


@numba_njit
def errors(x, W, b, y):
    if x.shape[1] != len(W) or len(b) != W.shape[1] or len(y) != len(x):
        raise ValueError("Softmax regression: shapes of x, W, b and y do not fit.")
    classes, shares = -(-len(b) // PANEL) * PANEL, shares_for(x, len(b))
    mistakes = np.empty(shares, np.int64)
    Wt = np.empty((shares, classes, len(W)), x.dtype)
    all_mistakes(np.ascontiguousarray(x), W, b, y, shares, mistakes, Wt)
    total = 0
    for t in range(shares):
        total += mistakes[t]
    mean = np.empty(())
    mean[()] = total / np.float64(len(y))
    return mean


@register_funcify_and_cache_key(SoftmaxRegressionLoss)
def numba_funcify_softmax_regression_loss(op, node, **kwargs):
    return loss_and_gradient, CACHE_KEY


@register_funcify_and_cache_key(SoftmaxRegressionErrors)
def numba_funcify_softmax_regression_errors(op, node, **kwargs):
    return errors, CACHE_KEY
