"""Choose the digit among the pieces of ink in a picture."""

import numpy as np
from scipy import ndimage

# As fractions of the digit: a piece belongs to it if it lies this near and holds this
# much of its ink; beside it and taller, it is another digit unless it nearly touches.
NEAR, TOUCHING, LEAST_INK = 0.15, 0.04, 0.04
TALL, MUCH_INK = 0.5, 0.25


def choose_digit(ink):
    """Keep the piece that holds most ink, and what is near enough to belong to it.

    Pieces that run out of the picture count for a tenth: a thumb, a table, a rest of
    the ruling.

    Parameters
    ----------
    ink : numpy.ndarray of float, ``(height, width)``
        From 0, paper, to 1, ink; not all 0.

    Returns
    -------
    ink : numpy.ndarray of float, ``(height, width)``
        0 outside of the digit.
    doubts : list of str
    """
    labels, n = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    held = ndimage.sum_labels(ink, labels, np.arange(n + 1))
    border = np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()])
    at_border = np.isin(np.arange(n + 1), border)
    main = np.argmax(np.where(at_border, held / 10, held))
    pieces = np.flatnonzero((held > LEAST_INK * held[main]) & ~at_border)
    pieces = pieces[(pieces > 0) & (pieces != main)]
    boxes = ndimage.find_objects(labels)
    boxes = {piece: boxes[piece - 1] for piece in pieces}
    digit, others = labels == main, 0
    while boxes:
        [[rows, columns]] = ndimage.find_objects(digit.astype(int))
        height, width = rows.stop - rows.start, columns.stop - columns.start
        distance = ndimage.distance_transform_edt(~digit) / max(height, width)
        gaps = ndimage.minimum(distance, labels, list(boxes))
        gap, piece = min(zip(gaps, boxes, strict=True))
        box = boxes.pop(piece)
        beside = box[1].start >= columns.stop or box[1].stop <= columns.start
        tall = box[0].stop - box[0].start > TALL * height
        much = held[piece] > MUCH_INK * held[main]
        if gap > NEAR or (gap > TOUCHING and much and beside and tall):
            others += much and box[0].stop - box[0].start > TALL / 2 * height
        else:
            digit |= labels == piece
    doubts = []
    if others:
        doubts.append(
            f"{others + 1} pieces of ink lie apart, and only the largest was read"
        )
    elif held.sum() > 1.5 * ink[digit].sum():
        doubts.append("many marks are left on the paper beside the digit")
    ink = np.where(digit, ink, 0.0)
    # Faint noise may lead there too.
    if max(ink[[0, -1]].max(), ink[:, [0, -1]].max()) > 0.5:
        doubts.append("the ink runs out of the picture")
    return ink, doubts
