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

from utils.backends.fusion.numba_tiles import (
    CHUNK,
    LANES,
    add_gradient,
    add_logits,
    add_tile,
    add_totals,
    empty_tile,
    exp_of_negative,
    ink,
    lowest_bit,
    pack_block,
    retyped,
    shifted,
    width_of,
)

part = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
NONE, ONE, ALL = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)
SIZES = (
    "n n_labels n_in n_out x_row x_column W_row W_column b_step y_step shares memory "
    "learning"
).split()


def share(x, W, b, y, sizes, tiles, masks, results, t):
    """Compute share `t` of a loss and its gradients, or of the errors.

    Parameters
    ----------
    x, W, b, y : pointers
    sizes : pointer to int64
        As `SIZES` names them: the last says whether there is a loss to compute.
    tiles, masks, results : pointers to memory for all shares
        A share's part of `tiles` has `memory` numbers, and begins with the gradient.
        Its results are, as float64, the loss or the number of errors, whether a label
        is no class, and the gradient by b.
    t : int
    """
    n, n_labels, n_in, n_out = sizes[0], sizes[1], sizes[2], sizes[3]
    x_row, x_column, W_row, W_column = sizes[4], sizes[5], sizes[6], sizes[7]
    b_step, y_step, shares, memory, learning = (
        sizes[8],
        sizes[9],
        sizes[10],
        sizes[11],
        sizes[12],
    )
    panels, blocks = -(-n_out // width_of(tiles)), -(-n_in // LANES)
    classes = panels * width_of(tiles)
    gradient = shifted(retyped(tiles, b), t * memory)
    weights = shifted(gradient, blocks * classes * LANES)
    bias = shifted(weights, blocks * classes * LANES)
    z = shifted(bias, classes)
    largest = shifted(z, classes * CHUNK)
    total = shifted(largest, CHUNK)
    copy = retyped(shifted(total, CHUNK), x)
    inked, results = shifted(masks, t * blocks), shifted(results, t * (classes + 2))

    every = not pack(W, W_row, W_column, n_in, n_out, classes, weights)
    for c in range(classes):
        bias[c] = b[c * b_step] if c < n_out else 0
        results[c + 2] = 0
    for k in range(blocks * classes * LANES):
        gradient[k] = 0
    result = 0.0
    end = n * (t + 1) // shares
    for first in range(n * t // shares, end, CHUNK):
        rows, labels = min(CHUNK, end - first), shifted(y, first * y_step)
        at = shifted(x, first * x_row)
        at, row = chunk_rows(at, x_row, x_column, rows, n_in, copy)
        chunk_logits(at, row, rows, n_in, panels, weights, bias, tiles, every, z, inked)
        chunk_largest(z, n_out, largest, total)
        if not learning:
            result += chunk_mistakes(z, n_out, rows, labels, y_step, largest, total)
            continue
        scale, labelled = 1 / max(n_labels, 1), max(min(rows, n_labels - first), 0)
        loss, fits = chunk_residual(
            z, n_out, rows, labels, y_step, labelled, scale, largest, total
        )
        if not fits:
            results[1] = 1
            return
        result += loss
        for r in range(rows):
            for block in range(0 if total[r] == total[r] else blocks):
                inked[block] |= ONE << np.uint64(r)
            for c in range(n_out):
                results[c + 2] += z[c * CHUNK + r]
        chunk_gradient(at, row, n_in, panels, tiles, z, inked, gradient)
    results[0], results[1] = result, 0


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
                    block = first + lowest_bit(left)
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
def chunk_residual(z, n_out, rows, y, y_step, labelled, scale, largest, total):
    """Turn z into the residual, and return the loss and whether the labels fit."""
    loss = 0.0
    for r in range(labelled):
        label = class_of(y[r * y_step], n_out)
        if label < 0 or label >= n_out:
            return loss, False
        loss += largest[r] - z[label * CHUNK + r]
    for c in range(n_out):
        for r in range(CHUNK):
            p = exp_of_negative(z[c * CHUNK + r] - largest[r])
            z[c * CHUNK + r] = p
            total[r] += p
    for r in range(CHUNK):
        largest[r] = scale / total[r] if r < labelled else 0 * total[r]
    for c in range(n_out):
        for r in range(CHUNK):
            p = z[c * CHUNK + r] * largest[r]
            z[c * CHUNK + r] = p if r < rows else 0
    for r in range(labelled):
        loss += np.log(total[r])
        z[class_of(y[r * y_step], n_out) * CHUNK + r] -= scale
    return loss, True


@part
def chunk_gradient(x, row, n_in, panels, tiles, z, inked, gradient):
    """Add the products of the rows with their residuals to the gradient."""
    width, last = width_of(tiles), max(n_in - LANES, 0)
    for block in range(-(-n_in // LANES)):
        for panel in range(panels):
            tile, left = empty_tile(tiles), inked[block]
            while left:
                r = lowest_bit(left)
                left &= left - ONE
                pixels = r * row + min(block * LANES, last)
                tile = add_gradient(tile, x, pixels, z, panel * width * CHUNK + r)
            add_tile(tile, gradient, (block * panels + panel) * width * LANES)


@part
def chunk_mistakes(z, n_out, rows, y, y_step, largest, total):
    """Return for how many rows another class is the most probable."""
    mistakes = 0
    for r in range(rows):
        best = 0  # also where the softmax is NaN: so NumPy's argmax has it
        if total[r] == 0 and largest[r] != np.inf:
            while z[best * CHUNK + r] != largest[r]:
                best += 1
        mistakes += best != y[r * y_step]
    return mistakes


def sum_shares(tiles, sizes, classes, results, gW, gb):
    """Set gW (n_in, n_out) and gb to the sums over the shares."""
    n_in, n_out, shares, memory = sizes[2], sizes[3], sizes[10], sizes[11]
    last = max(n_in - LANES, 0)
    for t in range(1, shares):
        for k in range(-(-n_in // LANES) * classes * LANES):
            tiles[k] += tiles[t * memory + k]
    for k in range(n_in):
        block = k // LANES
        lane = k - min(block * LANES, last)
        for c in range(n_out):
            gW[k * n_out + c] = tiles[(block * classes + c) * LANES + lane]
    for c in range(n_out):
        total = 0.0
        for t in range(shares):
            total += results[t * (classes + 2) + c + 2]
        gb[c] = total
