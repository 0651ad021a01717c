"""Loops over some rows, as in `kernel.c`, for machines that have no compiler.

The innermost loops run over the features, so that LLVM turns them into vectors. All are
plain loops: Numba's array expressions take seconds to compile.
"""

import numba
import numpy as np
from numba.extending import overload
from pytensor.link.numba.dispatch.basic import numba_njit

CHUNK = 48  # rows, which the gradient reads for the second time from the cache
PANEL = 5  # classes; the loops below are unrolled for five

# Sums over features may be taken in any order; NaN and infinity keep their meaning. All
# other arithmetic keeps its order, as it would not with PyTensor's default.
inner = numba_njit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
outer = numba_njit(fastmath=False, error_model="numpy")


def chunk_rows(x, first, rows, pixels):
    """Return some rows of x as floats; bytes are written to `pixels`, over 256."""


@overload(chunk_rows)
def chunk_rows_of(x, first, rows, pixels):
    def of_floats(x, first, rows, pixels):
        return x[first : first + rows]

    def of_bytes(x, first, rows, pixels):
        unit = pixels.dtype.type(1 / 256)
        for r in range(rows):
            from_row, to_row = x[first + r], pixels[r]
            for k in range(len(to_row)):
                to_row[k] = pixels.dtype.type(from_row[k]) * unit
        return pixels[:rows]

    return of_bytes if x.dtype == numba.uint8 else of_floats


@inner
def chunk_logits(x, Wt, z):
    """Set z (CHUNK, classes) to ``x @ Wt.T``, two rows and five classes at a time."""
    zero, rows = x.dtype.type(0), len(x)
    for i in range(0, rows, 2):
        j = min(i + 1, rows - 1)
        x0, x1 = x[i], x[j]
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
def chunk_gradient(x, delta, gWt):
    """Add ``delta.T @ x`` to gWt (classes, n_in), four rows, five classes at a time."""
    last = len(x) - 1
    for r in range(0, len(x), 4):
        x0, x1 = x[r], x[min(r + 1, last)]
        x2, x3 = x[min(r + 2, last)], x[min(r + 3, last)]
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
def share_loss(x, W, b, y, begin, end, Wt, gWt, gb, p, delta, y_pred):
    """Set the gradients of rows begin..end; return their loss and a bad row or -1.

    Unless p has no columns, their softmax, residual and predictions are written to p,
    delta and y_pred.
    """
    n_out, n_labels = len(b), len(y)
    zero = W.dtype.type(0)
    scale = W.dtype.type(1 / max(n_labels, 1))
    z, pixels = np.empty((CHUNK, len(Wt)), W.dtype), np.empty((CHUNK, len(W)), W.dtype)
    loss = 0.0
    pack(W, Wt)
    for c in range(len(Wt)):
        gb[c] = 0
        for k in range(len(W)):
            gWt[c, k] = 0
    for first in range(begin, end, CHUNK):
        rows = min(CHUNK, end - first)
        chunk = chunk_rows(x, first, rows, pixels)
        chunk_logits(chunk, Wt, z)
        for r in range(CHUNK):
            label = np.int64(-1)
            if first + r < n_labels and r < rows:
                label = np.int64(y[first + r])
                if label < 0:
                    label += n_out
                if label < 0 or label >= n_out:
                    return loss, first + r
            largest, total, best = z[r, 0] + b[0], zero, 0
            for c in range(n_out):
                z[r, c] += b[c]
                if z[r, c] > largest:
                    largest, best = z[r, c], c
            if label >= 0:
                loss += largest - z[r, label]
            for c in range(n_out):
                z[r, c] = np.exp(z[r, c] - largest)
                total += z[r, c]
            by_row = r < rows and p.shape[1] > 0
            if by_row:
                y_pred[first + r] = 0 if np.isnan(total) else best
                for c in range(n_out):
                    p[first + r, c] = z[r, c] / total
            weight = scale / total if label >= 0 else zero * total
            for c in range(n_out):
                z[r, c] = z[r, c] * weight if r < rows else zero
            if label >= 0:
                loss += np.log(total)
                z[r, label] -= scale
            for c in range(n_out):
                gb[c] += z[r, c]
            if by_row:
                for c in range(n_out):
                    delta[first + r, c] = z[r, c]
        chunk_gradient(chunk, z, gWt)
    return loss, -1


@outer
def share_mistakes(x, W, b, y, begin, end, Wt):
    """Return for how many of the rows begin..end another class is the most probable."""
    n_out, mistakes = len(b), 0
    z, pixels = np.empty((CHUNK, len(Wt)), W.dtype), np.empty((CHUNK, len(W)), W.dtype)
    pack(W, Wt)
    for first in range(begin, end, CHUNK):
        rows = min(CHUNK, end - first)
        chunk_logits(chunk_rows(x, first, rows, pixels), Wt, z)
        for r in range(rows):
            best, total = 0, W.dtype.type(0)
            for c in range(n_out):
                z[r, c] += b[c]
                total += z[r, c]
                if z[r, c] > z[r, best]:
                    best = c
            if np.isnan(total) or z[r, best] == np.inf:
                best = 0  # the softmax would be NaN, and its argmax 0
            mistakes += best != y[first + r]
    return mistakes
