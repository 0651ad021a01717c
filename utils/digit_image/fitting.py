"""Scale ink of any size to the few pixels of a dataset, as its makers did.

`utils/report/page/reader.js` does the same in a browser, step by step, so that page and
program see the same digit: a change to one belongs in the other.

References
----------
Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, for
the box, the aspect ratio and the centre of mass. They do not say which pixel is the
centre; in the published images, the centre of mass always lies within the pixel of row
14 and column 14, counted from 0.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, for the 32x32
bitmaps whose blocks of 4x4 are counted, and M. D. Garris et al., NIST Form-Based
Handprint Recognition System, NISTIR 5469, which made these bitmaps: no slant, one
height and nearly one width. In the published images that is 8 pixels by about 5.

H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, figure 1 and section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage


@dataclass(frozen=True)
class Frame:
    """The place and the size that the makers of a dataset gave to ink.

    Attributes
    ----------
    side : int
        Pixels of an image, in both directions.
    height, width : int
        The box that ink is scaled to, in parts of a pixel.
    parts : int
        Parts of a pixel in both directions.
    by_mass : bool
        Put the centre of mass into the middle, otherwise that of the box.
    upright : bool
        Remove the slant, and stretch all but slender ink to the width of the box;
        otherwise keep the ratio of height and width.
    filled : bool
        The images are of things, and not of strokes.
    """

    side: int
    height: int
    width: int
    parts: int = 1
    by_mass: bool = False
    upright: bool = False
    filled: bool = False


MNIST = Frame(28, 20, 20, by_mass=True)
DIGITS = Frame(8, 32, 20, parts=4, upright=True)
FASHION_MNIST = Frame(28, 28, 28, filled=True)

# Ink that is more slender than this, width by height, is not stretched.
SLENDER = 0.4

# Fainter ink than this fraction of the darkest does not widen the box: the fringe that
# JPEG leaves around a stroke is mostly fainter, the edge of MNIST's digits is not.
FAINT = 1 / 16

# Sums in another order differ in their last bits, and would fall on either side of a
# whole number, where a symmetric drawing has its centre of mass.
ROUNDING = 1e-6


def frame_of(n_in: int, dataset: str | None = None) -> Frame | None:
    """Return the `Frame` of a model's images, or None if a picture cannot become one.

    Parameters
    ----------
    n_in : int
        Pixels of an image.
    dataset : str, optional
        The name of the model's dataset.
    """
    if dataset == "fashion_mnist" and n_in == FASHION_MNIST.side**2:
        return FASHION_MNIST
    return {frame.side**2: frame for frame in (MNIST, DIGITS)}.get(n_in)


def fit(ink: ArrayLike, frame: Frame = MNIST) -> NDArray:
    """Scale ink to the box of a frame, and put it into the middle of an image.

    Parameters
    ----------
    ink : array_like of float, ``(height, width)``
        0 is paper; the darkest ink is the largest value, above 0.
    frame : Frame
        Default: that of MNIST.

    Returns
    -------
    numpy.ndarray of float64, ``(side, side)``
        From 0 to 255/256, the value of the darkest pixel, as MNIST's ``byte / 256``.
    """
    box = _inked(np.asarray(ink, dtype=np.float64))
    if frame.upright:
        box = _inked(_upright(box))
    height, width = _scaled_shape(box.shape, frame)
    box = area_average(box, height, width)
    side = frame.side * frame.parts
    image = np.zeros((side, side))
    top, left = (_offset(box.sum(axis), side, frame.by_mass) for axis in (1, 0))
    image[top : top + height, left : left + width] = box
    image = area_average(image, frame.side, frame.side)
    return image * (255 / 256 / image.max())


def _inked(ink):
    """The part of a picture within which there is more than faint ink."""
    [extent] = ndimage.find_objects((ink > FAINT * ink.max()).astype(int))
    return ink[extent]


def _upright(ink):
    """Shift the rows until height and place of the ink are no longer correlated."""
    height, width = ink.shape
    mass, y, x = ink.sum(), np.arange(height), np.arange(width)
    y = y - (ink.sum(axis=1) * y).sum() / mass
    x = x - (ink.sum(axis=0) * x).sum() / mass
    spread = (ink.sum(axis=1) * y * y).sum()
    slant = (ink * x).sum(axis=1) @ y / spread if height > 1 else 0.0
    shifts = -np.floor(slant * y + 0.5 + ROUNDING).astype(int)
    shifts -= shifts.min()
    shifted = np.zeros((height, width + shifts.max()))
    for row, values, shift in zip(shifted, ink, shifts, strict=True):
        row[shift : shift + width] = values
    return shifted


def _scaled_shape(shape, frame):
    """Height and width of a part of a picture, once it is scaled to the box."""
    tall, wide = frame.height / shape[0], frame.width / shape[1]
    if not frame.upright:
        tall = wide = min(tall, wide)
    elif shape[1] < SLENDER * shape[0]:
        wide = tall
    scaled = shape[0] * tall, shape[1] * wide
    return [max(1, int(np.floor(n + 0.5))) for n in scaled]


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


def _offset(profile, side, by_mass):
    """First pixel of a box with these sums of ink, if it is to be in the middle."""
    if not by_mass:
        return (side - len(profile)) // 2
    centre = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
    offset = side // 2 - int(np.floor(centre + ROUNDING))
    # Ink far to one side would push the box over the edge.
    return min(max(offset, 0), side - len(profile))
