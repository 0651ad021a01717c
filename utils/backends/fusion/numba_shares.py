"""Shares of a minibatch's rows for Numba, one for each thread, and their sum."""

import numpy as np

from utils.backends.fusion.numba_loops import (
    ONE,
    chunk_exponentials,
    chunk_gradient,
    chunk_largest,
    chunk_logits,
    chunk_mistakes,
    chunk_residual,
    chunk_rows,
    pack,
    prediction,
    put_rows,
)
from utils.backends.fusion.numba_tiles import CHUNK, width_of
from utils.backends.fusion.numba_vectors import LANES, pointer_to, shifted


def share(x, W, b, y, sizes, tiles, masks, results, t):
    """Compute share `t` of a loss and its gradients, or of the errors.

    All others are pointers: to the data; to int64 `sizes`, as `run` of `numba_kept`
    sets them; and to memory for all shares. A share's part of `tiles` begins with its
    gradient. Its `results` are, as float64, the loss, -1 for a label that is no class,
    or the number of errors; then the gradient by b.
    """
    n, n_labels, n_in, n_out = sizes[0], sizes[1], sizes[2], sizes[3]
    x_row, x_column, b_step, y_step = sizes[4], sizes[5], sizes[8], sizes[9]
    shares, memory, learning = sizes[10], sizes[11], sizes[12]
    panels, blocks = -(-n_out // width_of(tiles)), -(-n_in // LANES)
    classes = panels * width_of(tiles)
    gradient = shifted(pointer_to(tiles, b), t * memory)
    weights = shifted(gradient, blocks * classes * LANES)
    bias = shifted(weights, blocks * classes * LANES)
    z = shifted(bias, classes)
    largest = shifted(z, classes * CHUNK)
    total = shifted(largest, CHUNK)
    copy = pointer_to(shifted(total, CHUNK), x)
    p, delta = pointer_to(sizes[13], b), pointer_to(sizes[14], b)
    by_row, y_pred = sizes[13] != 0, pointer_to(sizes[15], sizes)
    inked, results = shifted(masks, t * blocks), shifted(results, t * (classes + 1))

    every = not pack(W, sizes[6], sizes[7], n_in, n_out, classes, weights)
    for c in range(classes):
        bias[c] = b[c * b_step] if c < n_out else 0
        results[c + 1] = 0
    for k in range(blocks * classes * LANES):
        gradient[k] = 0
    result, scale, end = 0.0, 1 / max(n_labels, 1), n * (t + 1) // shares
    for first in range(n * t // shares, end, CHUNK):
        rows, labels = min(CHUNK, end - first), shifted(y, first * y_step)
        labelled = max(min(rows, n_labels - first), 0)
        at = shifted(x, first * x_row)
        at, row = chunk_rows(at, x_row, x_column, rows, n_in, copy)
        chunk_logits(at, row, rows, n_in, panels, weights, bias, tiles, every, z, inked)
        chunk_largest(z, n_out, largest, total)
        if not learning:
            result += chunk_mistakes(z, rows, labels, y_step, largest, total)
            continue
        for r in range(rows if by_row else 0):
            y_pred[first + r] = prediction(z, r, largest, total)
        loss = chunk_exponentials(z, n_out, labels, y_step, labelled, largest, total)
        if loss == -1:
            result = loss
            break
        if by_row:
            put_rows(z, n_out, rows, total, shifted(p, first * n_out))
        result += loss + chunk_residual(
            z, n_out, rows, labels, y_step, labelled, scale, largest, total
        )
        if by_row:
            for r in range(rows):
                largest[r] = 1
            put_rows(z, n_out, rows, largest, shifted(delta, first * n_out))
        for r in range(rows):
            for block in range(0 if total[r] == total[r] else blocks):
                inked[block] |= ONE << np.uint64(r)
            for c in range(n_out):
                results[c + 1] += z[c * CHUNK + r]
        chunk_gradient(at, row, n_in, panels, tiles, z, inked, gradient)
    results[0] = result


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
            total += results[t * (classes + 1) + c + 1]
        gb[c] = total
