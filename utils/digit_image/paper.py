"""Tell ink from paper, whichever of them is darker, in whatever light."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from utils.digit_image.fitting import area_average
from utils.digit_image.pieces import choose_digit
from utils.digit_image.ruling import without_ruling
from utils.errors import DigitImageError

# A picture with fewer grey levels (of 255) between paper and ink counts as blank.
FAINTEST_CONTRAST = 24

# A clean drawing deviates from its paper by nothing; a photograph by more than this.
CLEAN = 1.0

# The share of a normal distribution that lies a standard deviation below the mean.
BELOW_DEVIATION = 0.159

# Strokes are thinner than this fraction of the picture's sides; tables are not.
THICKEST_STROKE = 0.3

# Paper whose grey differs by less than this, as a logarithm, is one sheet in one light.
SAME_PAPER = 0.3

# So that a drawing without any noise has colours too, in squares of grey levels.
LEAST_VARIANCE = 4.0


def find_ink(picture: NDArray) -> tuple[NDArray, list[str]]:
    """Find how much ink of the digit lies on each pixel, and what is doubtful about it.

    The steps: the paper at each pixel (`_marks`), what is printed on it
    (`without_ruling`), the piece of ink that is the digit (`choose_digit`), and, from
    its colour, the mixture of channels that tells this pen best from all else (`_pen`).
    Marks within the paper's own noise are dropped, and in a photograph or on ruling
    those below two fifths of the ink's contrast.

    Parameters
    ----------
    picture : array_like of float, ``(height, width)`` or ``(height, width, channels)``
        Between 0 (black) and 255 (white).

    Returns
    -------
    ink : numpy.ndarray of float64, ``(height, width)``
        From 0, paper, to 1, ink.
    doubts : list of str
        Why the digit may be another; most often empty.

    Raises
    ------
    DigitImageError
        Where no stroke stands out from the paper. Its message completes "the picture
        ...".
    """
    picture = np.asarray(picture, dtype=np.float64)
    marks, paper = _marks(picture.reshape(*picture.shape[:2], -1))
    noise = _noise(marks.mean(axis=2))
    faint = max(4 * noise, FAINTEST_CONTRAST / 4)
    # Most of the picture is the page; a table's edge is lighter or darker.
    page = np.abs(np.log(paper / np.median(paper))) < SAME_PAPER
    rest, n_lines = without_ruling(marks, faint, page)
    if n_lines and rest.mean(axis=2).max() < max(FAINTEST_CONTRAST, 6 * noise):
        rest, n_lines = marks, 0  # a 1 that fills its picture
    ink = _darkness(rest.mean(axis=2), noise, n_lines)
    digit, doubts = choose_digit(ink)
    if rest.shape[2] > 1:
        ink = rest @ _pen(rest[digit > 0.5], marks[~ndimage.binary_dilation(digit > 0)])
        digit, doubts = choose_digit(_darkness(ink, _noise(ink), n_lines))
    return digit, doubts


def find_shape(picture: NDArray) -> tuple[NDArray, list[str]]:
    """Find what differs from the colour of the picture's border; see `find_ink`.

    For pictures of things, which are filled where a digit has strokes. There is nothing
    that is doubtful about them.
    """
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    paper = np.median(edges, axis=0)
    noise = np.median(np.abs(edges - paper))
    return _darkness(np.abs(picture - paper).mean(axis=2), noise, n_lines=0), []


def _marks(picture):
    """By how much each pixel is darker than its paper, and the paper's grey.

    Closing fills whatever is darker and narrower than `THICKEST_STROKE`. Light that
    falls off, a shadow and a table, which goes on beyond the picture, it leaves alone.
    Light falls on ink as on paper, so marks are fractions of the paper's light.
    """
    if _is_light_on_dark(picture.mean(axis=2)):
        picture = 255 - picture
    # The picture goes on beyond its border as it ends there: so a table does.
    reach = [max(1, round(THICKEST_STROKE * n / 2)) for n in picture.shape[:2]] + [0]
    paper = np.pad(picture, [(n, n) for n in reach], mode="edge")
    paper = ndimage.grey_closing(paper, [2 * n + 1 for n in reach])
    paper = np.maximum(paper[reach[0] : -reach[0], reach[1] : -reach[1]], 32)
    marks = (paper - picture) * (255 / paper)
    # Noise lifts the paper; half of its pixels lie above it.
    return marks - np.median(marks, axis=(0, 1)), paper.mean(axis=2)


def _is_light_on_dark(grey):
    """Return True where the ink is light: around ink there is mostly paper."""
    small = paper = area_average(grey, *(min(n, 64) for n in grey.shape))
    for axis in (0, 1):
        size = [1, 1]
        size[axis] = small.shape[axis] // 3 + 1
        paper = ndimage.median_filter(paper, size, mode="nearest")
    # Between a digit and a table, paper is in the minority, but as light as elsewhere.
    marks = np.minimum(np.abs(paper - small), np.abs(np.median(small) - small)) ** 2
    return marks[small > paper].sum() > marks[small < paper].sum()


def _noise(values):
    """Standard deviation of the paper: on its light side there is no ink."""
    return -np.diff(np.quantile(values, [0.5, BELOW_DEVIATION]))[0]


def _darkness(ink, noise, n_lines):
    """From 0 for paper to 1 for the pen's full ink."""
    contrast, expected = ink.max(), max(FAINTEST_CONTRAST, 6 * noise)
    if contrast < expected:
        raise DigitImageError(
            f"is blank: no stroke differs from its paper by more than {contrast:.0f} "
            f"of 255 grey levels, at least {expected:.0f} are expected. Write with a "
            "darker pen, or come closer, with some paper around the digit"
        )
    # The level of nearly all strong pixels: the maximum may be a single speck's.
    full = np.percentile(ink[ink > contrast / 2], 95)
    # Around clean strokes JPEG leaves a fringe, which may lead from a digit to a dot.
    clean = noise <= CLEAN and not n_lines
    least = max(4 * noise, FAINTEST_CONTRAST / 8 if clean else 0.4 * full)
    return np.clip((ink - least) / (full - least), 0, 1)


def _pen(ink, paper):
    """The weights of the channels with which a pen stands out most from its paper.

    Fisher's linear discriminant: a channel counts for the pen's contrast in it, against
    all that varies on the paper, which are its noise and the colour of its ruling. They
    are scaled so that a mark in the pen's colour keeps its size.
    """
    pen = np.median(ink, axis=0)
    spread = np.cov(paper, rowvar=False) if len(paper) > 1 else 0
    weights = np.linalg.solve(spread + LEAST_VARIANCE * np.eye(len(pen)), pen)
    return weights * (pen.mean() / (weights @ pen))
