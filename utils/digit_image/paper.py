"""Tell ink from paper in a grey picture, whichever of them is darker."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from utils.errors import DigitImageError

# A picture with fewer grey levels (of 255) between paper and ink counts as blank.
FAINTEST_CONTRAST = 24

# A clean drawing deviates from its paper by nothing; a photograph by more than this.
CLEAN = 1.0

# The median distance from the mean of a normal distribution, in standard deviations.
MEDIAN_DEVIATION = 0.6745

# The paper's surface is fitted to a picture thinned out to this many pixels a side.
FITTED_SIDE = 100


def find_ink(grey: NDArray) -> NDArray:
    """Find how much ink lies on each pixel.

    The picture's border is taken for paper: a surface of second degree is fitted to it,
    then again to all pixels close to the surface, so that a shadow or a lamp's light is
    not taken for ink. Ink is darker or lighter than this surface, whichever deviates
    more. Deviations within the paper's own noise are dropped, in a photograph also
    those below two fifths of the ink's contrast, and specks that hold less than a
    hundredth of the ink.

    Parameters
    ----------
    grey : numpy.ndarray of float, ``(height, width)``
        Between 0 (black) and 255 (white).

    Returns
    -------
    numpy.ndarray of float64, ``(height, width)``
        From 0, paper, to 1, ink.

    Raises
    ------
    DigitImageError
        Where nothing stands out from the paper, or nearly everything does. Its message
        completes "the picture ...".
    """
    paper, noise = _fit_paper(grey)
    deviation = paper - grey
    dark, light = np.maximum(deviation, 0), np.maximum(-deviation, 0)
    ink = dark if (dark**2).sum() >= (light**2).sum() else light
    contrast, expected = ink.max(), max(FAINTEST_CONTRAST, 6 * noise)
    if contrast < expected:
        raise DigitImageError(
            f"is blank: its ink differs from its paper by {contrast:.0f} of 255 grey "
            f"levels, at least {expected:.0f} are expected. "
            "Write with a darker pen, or come closer"
        )
    # The level of nearly all strong pixels: the maximum may be a single speck's.
    full = np.percentile(ink[ink > contrast / 2], 95)
    least = 4 * noise if noise <= CLEAN else max(4 * noise, 0.4 * full)
    ink = np.clip((ink - least) / (full - least), 0, 1)
    covered = np.mean(ink > 0.5)
    if covered > 0.7:
        raise DigitImageError(
            f"is ink on {covered:.0%} of its area: expected strokes on plain paper, "
            "with some of it around them"
        )
    return _without_specks(ink)


def _fit_paper(grey):
    """The paper's grey at each pixel, and its noise as a standard deviation."""
    # Each axis by itself: a narrow strip needs all of its short one.
    row_step, column_step = (-(-n // FITTED_SIDE) for n in grey.shape)
    some = grey[::row_step, ::column_step]
    ring = max(1, min(some.shape) // 20)
    border = np.ones(some.shape, dtype=bool)
    border[ring:-ring, ring:-ring] = False
    # The digit may touch the border: what is far from its median is not paper.
    residual = np.abs(some - np.median(some[border]))
    is_paper = border & (residual <= _tolerance(residual[border]))
    terms = _terms(some.shape)
    for _ in range(4):
        surface = np.linalg.lstsq(terms[is_paper], some[is_paper], rcond=None)[0]
        residual = np.abs(some - terms @ surface)
        is_paper = residual <= _tolerance(residual[is_paper])
    noise = np.median(residual[is_paper]) / MEDIAN_DEVIATION
    return _terms(grey.shape) @ surface, noise


def _terms(shape):
    """1, x, y, x^2, xy, y^2 at each pixel, ``(height, width, 6)``.

    Both x and y go from -1 to 1.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return np.stack([np.ones(shape), x, y, x * x, x * y, y * y], axis=-1)


def _tolerance(residual):
    """The largest distance from the paper's level that a pixel of paper may have."""
    return max(4 * np.median(residual) / MEDIAN_DEVIATION, FAINTEST_CONTRAST / 2)


def _without_specks(ink):
    """Drop connected pieces that hold less than a hundredth of the ink."""
    labels, n = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    held = ndimage.sum_labels(ink, labels, np.arange(n + 1))
    return np.where((held >= ink.sum() / 100)[labels], ink, 0.0)
