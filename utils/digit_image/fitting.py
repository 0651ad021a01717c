"""Scale ink of any size to 28x28 pixels, as MNIST's makers did.

`utils/report/page/reader.js` does the same in a browser, step by step, so that page and
program see the same digit: a change to one belongs in the other.

References
----------
Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, for
the box, the aspect ratio and the centre of mass. They do not say which pixel is the
centre; in the published images, the centre of mass always lies within the pixel of row
14 and column 14, counted from 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

SIDE, BOX = 28, 20

# Fainter ink than this fraction of the darkest does not widen the box: the fringe that
# JPEG leaves around a stroke is mostly fainter, the edge of MNIST's digits is not.
FAINT = 1 / 16

# Sums in another order differ in their last bits, and would fall on either side of a
# whole number, where a symmetric drawing has its centre of mass.
ROUNDING = 1e-6


def fit(ink: ArrayLike) -> NDArray:
    """Scale ink to 20 pixels, and put its centre of mass in the middle of 28x28.

    Parameters
    ----------
    ink : array_like of float, ``(height, width)``
        0 is paper; the darkest ink is the largest value, above 0.

    Returns
    -------
    numpy.ndarray of float64, ``(28, 28)``
        From 0 to 255/256, the value of the darkest pixel, as MNIST's ``byte / 256``.
    """
    ink = np.asarray(ink, dtype=np.float64)
    # The part of the picture within which there is more than faint ink.
    [extent] = ndimage.find_objects((ink > FAINT * ink.max()).astype(int))
    box = ink[extent]
    scale = BOX / max(box.shape)
    height, width = (max(1, int(np.floor(n * scale + 0.5))) for n in box.shape)
    box = area_average(box, height, width)
    image = np.zeros((SIDE, SIDE))
    top, left = _offset(box.sum(axis=1)), _offset(box.sum(axis=0))
    image[top : top + height, left : left + width] = box * (255 / 256 / box.max())
    return image


def area_average(values, height, width):
    """Resample to a new size, smaller or larger, by the means of the areas covered."""
    rows, columns = values.shape
    return _coverage(rows, height) @ values @ _coverage(columns, width).T


def _coverage(n_old, n_new):
    """Share of each old pixel (column) in each new one (row), ``(n_new, n_old)``."""
    edges = np.arange(n_new + 1)[:, None] * (n_old / n_new)
    old = np.arange(n_old)
    overlap = np.minimum(edges[1:], old + 1) - np.maximum(edges[:-1], old)
    return np.maximum(overlap, 0) * (n_new / n_old)


def _offset(profile):
    """First pixel of a box with these sums of ink, if pixel 14 is to be its centre."""
    centre = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
    offset = SIDE // 2 - int(np.floor(centre + ROUNDING))
    # Ink far to one side would push the box over the edge.
    return min(max(offset, 0), SIDE - len(profile))
