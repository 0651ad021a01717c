"""Make three checked splits of scaled pixels and labels from a file's arrays."""

import numpy as np
from numpy.typing import NDArray

from utils.errors import DatasetError

NAMES = ("training", "validation", "test")
VALIDATION_SIZE = 10_000
# Classes beyond these are a mistake, and would make W enormous: only one that has an
# example can be learned. A few gaps between the labels do no harm.
MAX_CLASSES, SPARE_CLASSES = 2**20, 1000
# At the tutorial's learning rate no float32 overflows in a million steps.
MAX_PIXEL = np.float64(1e15)


def split_validation(x, y, test_x, test_y):
    """Take the last training examples for validation, and return the three splits.

    They are 10,000, as in the tutorial, or the same sixth of fewer than 60,000. What
    has no examples at all, `check` refuses by its shape.
    """
    if 0 in (x.ndim, y.ndim):
        return [(x, y), (x, y), (test_x, test_y)]
    n_train = len(x) - min(VALIDATION_SIZE, len(x) // 6)
    return [(x[:n_train], y[:n_train]), (x[n_train:], y[n_train:]), (test_x, test_y)]


def check(splits, where):
    """Check three (x, y) pairs, and bring images to rows and labels to int32.

    Images are ``(n, ...)``, whole numbers from 0 to 255, floats or bool, and labels
    ``(n,)`` or ``(n, 1)``. The pairs returned have x ``(n, n_in)``, uint8 where pixels
    are whole numbers, otherwise bool or float, and y ``(n,)`` int32. `where` is the
    file's name in messages.
    """
    splits = [
        as_rows(x, y, f"{where}: {name} split")
        for name, (x, y) in zip(NAMES, splits, strict=True)
    ]
    widths = [x.shape[1] for x, _ in splits]
    if len(set(widths)) > 1:
        raise DatasetError(
            f"{where}: expected images of one size in all splits, found {widths[0]}, "
            f"{widths[1]} and {widths[2]} pixels in training, validation and test."
        )
    largest, n = int(splits[0][1].max()), sum(len(y) for _, y in splits[:2])
    most = min(n + SPARE_CLASSES, MAX_CLASSES) - 1
    if not 0 <= largest <= most:
        raise DatasetError(
            f"{where}: expected labels from 0 to {most} at most, found {largest} as "
            f"the largest of the training split: {n} examples to train and validate "
            "with have not so many classes. If numbers are left out between the "
            "labels, close the gaps: _, y = numpy.unique(y, return_inverse=True)."
        )
    checked = []
    for name, (x, y) in zip(NAMES, splits, strict=True):
        outside = (y < 0) | (y > largest)
        if outside.any():
            advice = "Shuffle data that are sorted by class before they are split."
            if y[outside][0] < 0:
                advice = "Number classes from 0: numpy.unique(y, return_inverse=True)."
            raise DatasetError(
                f"{where}: expected labels from 0 to {largest}, the largest of the "
                f"training split, found {y[outside][0]} at example "
                f"{int(outside.argmax())} of the {name} split. {advice}"
            )
        pixels = bytes_or_floats(x, f"{where}: {name} split")
        checked.append((pixels, y.astype(np.int32)))
    return checked


def as_rows(x, y, where):
    """Check that the arrays are images and labels of one split; the images as rows."""
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray):
        raise DatasetError(
            f"{where}: expected NumPy arrays of images and labels, found "
            f"{type(x).__name__} and {type(y).__name__}."
        )
    if x.dtype.kind not in "biuf" or x.ndim < 2:
        raise DatasetError(
            f"{where}: expected numeric images of shape (n, pixels) or (n, rows, "
            f"columns), found shape {x.shape} of dtype {x.dtype}."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise DatasetError(
            f"{where}: expected integer labels of shape (n,), found shape {y.shape} of "
            f"dtype {y.dtype}. Labels are class numbers from 0: of one-hot rows take "
            "the argmax, of whole floats y.astype(int)."
        )
    if len(x) != len(y):
        raise DatasetError(
            f"{where}: expected as many labels as images, found {len(x)} images and "
            f"{len(y)} labels. Check that the two belong together."
        )
    if x.size == 0:
        raise DatasetError(
            f"{where}: expected at least one image of at least one pixel, found shape "
            f"{x.shape}: the split is empty. Use a larger dataset."
        )
    return np.ascontiguousarray(x.reshape(len(x), -1)), y


def bytes_or_floats(x: NDArray, where: str) -> NDArray:
    """Check numbers, rows of pixels; whole ones become bytes, others stay."""
    if x.dtype.kind in "iu" and x.dtype != np.uint8:
        low, high = x.min(), x.max()
        if low < 0 or high > 255:
            raise DatasetError(
                f"{where}: expected whole-number pixels from 0 to 255, found {low} to "
                f"{high}. Make them bytes or floats."
            )
        return x.astype(np.uint8)
    # Of NaN no comparison is true.
    if x.dtype.kind == "f" and not -MAX_PIXEL <= x.min() <= x.max() <= MAX_PIXEL:
        sound = (-MAX_PIXEL <= x) & (x <= MAX_PIXEL)
        example, pixel = np.unravel_index(sound.argmin(), x.shape)
        raise DatasetError(
            f"{where}: expected pixels from {-MAX_PIXEL:g} to {MAX_PIXEL:g}, found "
            f"{x[example, pixel]:g} at example {example}, pixel {pixel}. Replace NaN "
            "and infinite values, and scale the others to lie between 0 and 1."
        )
    return x


def whole_256ths(x, rows=4096):
    """Return uint8 that divided by 256 is exactly `x`, otherwise `x` itself."""
    if x.dtype.kind != "f":
        return x
    result = np.empty(x.shape, np.uint8)
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        if part.min() < 0 or part.max() >= 1:
            return x
        scaled = part * part.dtype.type(256)
        result[start : start + rows] = scaled
        if not np.array_equal(result[start : start + rows], scaled):
            return x
    return result


def scale(splits):
    """Scale checked pixels as the tutorial does: bytes divided by 256, others kept.

    They become float32, or float64 where float32 cannot hold the values of a float64
    file. The list is emptied, so that only one split at a time is in memory twice.
    """
    exact = all(_fits_float32(x) for x, _ in splits)
    dtype = np.dtype(np.float32 if exact else np.float64)
    scaled = []
    while splits:
        x, y = splits.pop(0)
        if x.dtype == np.uint8:
            # 256 is a power of two: the product is the exact quotient.
            x = np.multiply(x, dtype.type(1 / 256), dtype=dtype)
        scaled.append((np.ascontiguousarray(x, dtype), y))
    return scaled


def _fits_float32(x, rows=4096):
    if x.dtype != np.float64:
        return True
    return all(
        np.array_equal(part.astype(np.float32), part)
        for part in np.array_split(x, range(rows, len(x), rows))
    )
