"""The loops of the fused operations for Numba, where there is no compiler.

Most pixels are zero, and add nothing. So each row gets a mask of its blocks of pixels
that have ink; its logits are sums over these blocks, and the gradient of a block is a
sum over the rows that have ink there. Where a weight or a residual is not finite, 0
times it is NaN, and all blocks are taken.

Arrays are pointers and strides in elements. A chunk's logits, later its residual, are z
(classes, CHUNK); weights and gradient are (blocks, classes, LANES), where the classes
are rounded up to whole tiles.
"""

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from utils.backends.fusion.numba_tiles import (
    CHUNK,
    add_gradient,
    add_logits,
    add_tile,
    add_totals,
    empty_tile,
    width_of,
)
from utils.backends.fusion.numba_vectors import (
    LANES,
    exp_of_negative,
    ink,
    pack_block,
)

part = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
NONE, ONE, ALL = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)


@part
def pack(W, row, column, n_in, n_out, classes, weights):
    """Set weights to W, and return whether all of it is finite."""
    finite = True
    for k in range(-(-n_in // LANES) * classes * LANES):
        weights[k] = 0
    for block in range(n_in // LANES):
        for c in range(n_out):
            to, start = (block * classes + c) * LANES, block * LANES * row + c * column
            finite &= pack_block(weights, to, W, start, row)
    # The last block is not whole: it begins among the pixels of the one before.
    block, first = n_in // LANES, max(n_in - LANES, 0)
    for k in range(block * LANES, n_in):
        for c in range(n_out):
            w = W[k * row + c * column]
            finite &= w - w == 0
            weights[(block * classes + c) * LANES + k - first] = w
    return finite


@part
def chunk_rows(x, row, column, rows, n_in, copy):
    """Return rows whose pixels stand side by side, LANES at least, and their stride."""
    if column == 1 and n_in >= LANES:
        return x, row
    width = max(n_in, LANES)
    for r in range(rows):
        for k in range(width):
            copy[r * width + k] = x[r * row + k * column] if k < n_in else 0
    return copy, width


@part
def chunk_logits(x, row, rows, n_in, panels, weights, bias, tiles, every, z, inked):
    """Set z to the logits, and inked to the mask of the rows of each block."""
    width, blocks, last = width_of(tiles), -(-n_in // LANES), max(n_in - LANES, 0)
    for c in range(panels * width):
        for r in range(CHUNK):
            z[c * CHUNK + r] = bias[c]
    for block in range(blocks):
        inked[block] = NONE
    # At most 64 blocks for all rows, whose weights remain in the fastest cache.
    words = -(-blocks // 64)
    word = -(-blocks // (words * 8)) * 8
    for first in range(0, blocks, word):
        end = min(first + word, blocks)
        whole = first + (min(end, n_in // LANES) - first) // 8 * 8
        for r in range(rows):
            mask = ALL >> np.uint64(64 - end + first) if every else NONE
            for block in range(first, whole, 8):
                bits = ink(x, r * row + block * LANES, 8)
                mask |= bits << np.uint64(block - first)
            for block in range(whole, end):
                bits = ink(x, r * row + min(block * LANES, last), 1)
                mask |= bits << np.uint64(block - first)
            for panel in range(panels):
                tile, left = empty_tile(tiles), mask
                while left:
                    block = first + np.int64(trailing_zeros(left))
                    left &= left - ONE
                    inked[block] |= ONE << np.uint64(r)
                    pixels = r * row + min(block * LANES, last)
                    place = (block * panels + panel) * width * LANES
                    tile = add_logits(tile, x, pixels, weights, place)
                add_totals(tile, z, panel * width * CHUNK + r)


@part
def chunk_largest(z, n_out, largest, total):
    """Set largest to each row's largest logit, and total to NaN if one is, or to 0."""
    for r in range(CHUNK):
        largest[r], total[r] = z[r], 0
    for c in range(n_out):
        for r in range(CHUNK):
            v = z[c * CHUNK + r]
            largest[r] = v if v > largest[r] else largest[r]
            total[r] = total[r] if v == v else v


@part
def class_of(label, n_out):
    """Return a label as a class; negative ones count from the last."""
    return np.int64(label) + (n_out if label < 0 else 0)


@part
def chunk_exponentials(z, n_out, y, y_step, labelled, largest, total):
    """Turn z into exponentials, with their total; return a loss, or -1 for a bad label.

    The two large numbers of the loss meet first, lest they drown the other rows; its
    logarithms are added by `chunk_residual`.
    """
    loss = 0.0
    for r in range(labelled):
        label = class_of(y[r * y_step], n_out)
        if label < 0 or label >= n_out:
            return -1.0
        loss += largest[r] - z[label * CHUNK + r]
    for c in range(n_out):
        for r in range(CHUNK):
            p = exp_of_negative(z[c * CHUNK + r] - largest[r])
            z[c * CHUNK + r] = p
            total[r] += p
    return loss


@part
def chunk_residual(z, n_out, rows, y, y_step, labelled, scale, largest, total):
    """Turn exponentials into the residual; return the logarithms of their totals."""
    loss = 0.0
    for r in range(CHUNK):
        largest[r] = scale / total[r] if r < labelled else 0 * total[r]
    for c in range(n_out):
        for r in range(CHUNK):
            p = z[c * CHUNK + r] * largest[r]
            z[c * CHUNK + r] = p if r < rows else 0
    for r in range(labelled):
        loss += np.log(total[r])
        z[class_of(y[r * y_step], n_out) * CHUNK + r] -= scale
    return loss


@part
def chunk_gradient(x, row, n_in, panels, tiles, z, inked, gradient):
    """Add the products of the rows with their residuals to the gradient."""
    width, last = width_of(tiles), max(n_in - LANES, 0)
    for block in range(-(-n_in // LANES)):
        for panel in range(panels):
            tile, left = empty_tile(tiles), inked[block]
            while left:
                r = np.int64(trailing_zeros(left))
                left &= left - ONE
                pixels = r * row + min(block * LANES, last)
                tile = add_gradient(tile, x, pixels, z, panel * width * CHUNK + r)
            add_tile(tile, gradient, (block * panels + panel) * width * LANES)


@part
def prediction(z, r, largest, total):
    """Return the most probable class of a row of logits."""
    best = 0  # also where the softmax is NaN: so NumPy's argmax has it
    if total[r] == 0 and largest[r] != np.inf:
        while z[best * CHUNK + r] != largest[r]:
            best += 1
    return best


@part
def chunk_mistakes(z, rows, y, y_step, largest, total):
    """Return for how many rows another class is the most probable."""
    mistakes = 0
    for r in range(rows):
        mistakes += prediction(z, r, largest, total) != y[r * y_step]
    return mistakes


@part
def put_rows(z, n_out, rows, divisor, to):
    """Set to (rows, n_out) to the rows of z, each over its divisor."""
    for r in range(rows):
        for c in range(n_out):
            to[r * n_out + c] = z[c * CHUNK + r] / divisor[r]
