"""Take away what is printed on the paper: thin lines that run from edge to edge."""

import numpy as np
from scipy import ndimage

# Lines are looked for with this many columns, a power of 2, and at slopes between -1
# and 1 in such a picture: up to about 20 degrees.
COLUMNS = 128

# A line may be this fraction of the picture wide, at most; the others are strokes.
THICKEST = 0.02

# A line is marked on this share of its length.
COVERED = 0.7


def without_ruling(marks, faint, page):
    """Take lines away that run across the paper, and mend what they cross.

    Parameters
    ----------
    marks : numpy.ndarray of float, ``(height, width, channels)``
        By how much each pixel differs from its paper.
    faint : float
        Fainter marks, as means of the channels, may be noise.
    page : numpy.ndarray of bool, ``(height, width)``
        False where a table is seen, or another light falls.

    Returns
    -------
    marks : numpy.ndarray, ``(height, width, channels)``
    n_lines : int
        How many lines were found.
    """
    n_lines = 0
    for _ in range(2):
        marked = np.clip(marks.mean(axis=2) / faint, 0, 1)
        marked = ndimage.gaussian_filter(marked, 0.5)
        lines = _lines(ndimage.maximum_filter1d(marked, 3, axis=0), page)
        marks = marks.copy()
        for rows in lines:
            _erase(marks, rows)
        n_lines += len(lines)
        marks, page = marks.swapaxes(0, 1), page.T
    return marks, n_lines


def _lines(marked, page):
    """The rows of each line, from the left edge to the right, ``(n, width)``."""
    height, width = marked.shape
    if min(height, width) < 48:
        return []
    reach = max(2, round(THICKEST * max(height, width)))
    found = []
    columns = np.arange(width)
    some = np.linspace(0, width - 1, COLUMNS).round().astype(int)
    seen = _line_sums(np.ones((height, COLUMNS)))
    for flip in (1, -1):
        covered = _line_sums(marked[::flip, some]) / np.maximum(seen, 0.4 * COLUMNS)
        covered = np.where(covered > COVERED, covered, 0)
        while covered.any():
            shift, start = np.unravel_index(covered.argmax(), covered.shape)
            # Each line is near its best estimate many times over.
            for s in range(COLUMNS)[max(0, shift - 2 * reach) : shift + 2 * reach + 1]:
                a, b = sorted((start, start + shift - s))
                covered[s, max(0, a - 2) : b + 3] = 0
            rows = start - COLUMNS + shift * columns / (width - 1)
            rows = rows if flip == 1 else height - 1 - rows
            rows = _traced(marked, rows, 3)
            known = len(found) and np.abs(rows - found).mean(axis=1).min() < 3
            if not known and _ends_with_the_page(marked, page, rows):
                found.append(rows)
    return found


def _line_sums(values):
    """Sums along all lines that fall by 0 to n - 1 rows in n columns, a power of 2.

    The lines of 2n columns are made of two of n columns: n log n steps instead of n^2.

    Returns
    -------
    numpy.ndarray, ``(n, n + height)``
        By rows of fall and first row, which begins n rows above the picture.

    References
    ----------
    M. L. Brady, A fast discrete approximation algorithm for the Radon transform, 1998.
    """
    n = values.shape[1]
    sums = np.pad(values, [(n, 0), (0, 0)]).T[:, None].astype("float32")
    while len(sums) > 1:
        left, right = sums[::2], sums[1::2]
        both = np.zeros((len(left), 2 * left.shape[1], left.shape[2]), "float32")
        for fall in range(both.shape[1]):
            down = (fall + 1) // 2
            both[:, fall] = left[:, fall // 2]
            both[:, fall, : both.shape[2] - down] += right[:, fall // 2, down:]
        sums = both
    return sums[0]


def _strip(values, rows, reach):
    """Values above and below a line, ``(2 reach + 1, width, ...)``, and their rows."""
    places = rows + np.arange(-reach, reach + 1)[:, None]
    inside = (places >= 0) & (places < len(values))
    places = np.clip(places, 0, len(values) - 1)
    columns = np.arange(values.shape[1])
    return values[places, columns], places, inside


def _traced(marked, rows, reach):
    """The line's rows where it is in truth: paper bends, and lenses do."""
    rows = np.round(rows).astype(int)
    strip, _, inside = _strip(marked, rows, reach)
    window = max(9, marked.shape[1] // 8)
    strip = ndimage.uniform_filter1d(np.where(inside, strip, 0), window, axis=1)
    weight = np.maximum(strip - 0.9 * strip.max(axis=0), 1e-9)
    aside = np.arange(-reach, reach + 1) @ weight / weight.sum(axis=0)
    return np.round(rows + ndimage.uniform_filter1d(aside, window)).astype(int)


def _ends_with_the_page(marked, page, rows):
    """A line is marked where the page begins and where it ends; a stroke is not."""
    columns = np.flatnonzero((rows >= 0) & (rows < len(marked)))
    columns = columns[page[rows[columns], columns]]
    on = marked[rows[columns], columns]
    n = len(on)
    ends = on[n // 50 : n // 16], on[::-1][n // 50 : n // 16]
    return n >= 32 and min(end.mean() for end in ends) > 0.5


def _erase(marks, rows):
    """Take a line's usual marks away; ink that is darker, or crosses it, stays."""
    reach = max(2, round(THICKEST * max(marks.shape))) + 1
    strip, places, inside = _strip(marks, rows, reach)
    usual = np.median(strip, axis=1, keepdims=True)
    height = usual.mean(axis=(1, 2))
    wide = height > 0.25 * height[reach - 1 : reach + 2].max()
    # As far as the line reaches without a gap, and a pixel more for its soft edge.
    first = reach - np.argmin(np.append(wide[reach::-1], False))
    last = reach + np.argmin(np.append(wide[reach:], False))
    if first < 0 or last > 2 * reach:
        return  # a stroke, or a table: too thick for a line
    # A pixel more or less of the line than usual is no ink.
    rest = strip - 1.1 * ndimage.maximum_filter1d(usual, 3, axis=0)
    # A stroke in the line's own colour that crosses it, also at a slant.
    above, below = (
        ndimage.maximum_filter1d(strip[edge], last - first + 1, axis=0)
        for edge in (max(first - 1, 0), min(last + 1, 2 * reach))
    )
    rest = np.minimum(np.maximum(rest, np.minimum(above, below)), strip)
    inside[:first] = inside[last + 1 :] = False
    columns = np.broadcast_to(np.arange(len(rows)), places.shape)
    marks[places[inside], columns[inside]] = np.maximum(rest, 0)[inside]
