"""From a picture of a digit to the 28x28 pixels that a model of MNIST expects.

A picture may be of any size and colour, dark on light or light on dark, drawn, scanned
or photographed, on plain or ruled paper. `picture_file` reads it, `paper` tells ink
from paper, with `ruling` for what is printed there and `pieces` for which ink is the
digit; `fitting` brings it to MNIST's size and place, `preview` shows the result.
"""

from dataclasses import dataclass

import numpy as np

from utils.digit_image.fitting import SIDE, fit
from utils.digit_image.paper import find_ink
from utils.digit_image.picture_file import read_colours
from utils.digit_image.preview import is_preview, preview_paths, write_previews
from utils.errors import DigitImageError

__all__ = [
    "N_PIXELS",
    "DigitImage",
    "DigitImageError",
    "find_ink",
    "fit",
    "is_preview",
    "preview_paths",
    "read",
    "read_all",
    "write_previews",
]

N_PIXELS = SIDE * SIDE


@dataclass(frozen=True)
class DigitImage:
    """A digit that was found in a picture file.

    Attributes
    ----------
    path : str or os.PathLike
    grey : numpy.ndarray of float64, ``(height, width)``
        The picture as it was read: 0 is black, 255 white.
    pixels : numpy.ndarray of float64, ``(784,)``
        The model's input; see `read`.
    doubts : list of str
        Why it may be another digit; see `find_ink`.
    """

    path: str
    grey: np.ndarray
    pixels: np.ndarray
    doubts: list


def read(path):
    """Read the digit in a picture file.

    Parameters
    ----------
    path : str or os.PathLike
        PNG, JPEG, WebP, GIF, BMP, TIFF or PPM.

    Returns
    -------
    numpy.ndarray of float64, ``(784,)``
        Row by row, from 0 for paper to 255/256 for ink, as MNIST's ``byte / 256``.
        With a first axis, ``read(path)[None]``, `predict` takes it as `images`.

    Raises
    ------
    DigitImageError
        Naming the file, what was expected and what was found: no picture, no digit in
        it, or no Pillow to read it with.
    """
    return _find(path).pixels


def read_all(paths):
    """Read the digits in picture files, past those that cannot be read.

    Returns
    -------
    digits : list of DigitImage
    errors : list of DigitImageError
        One for each of the other files.
    """
    digits, errors = [], []
    for path in paths:
        try:
            digits.append(_find(path))
        except DigitImageError as error:
            errors.append(error)
    return digits, errors


def _find(path):
    picture = read_colours(path)
    try:
        ink, doubts = find_ink(picture)
        return DigitImage(path, picture.mean(axis=2), fit(ink).ravel(), doubts)
    except DigitImageError as error:
        raise DigitImageError(f"{path}: the picture {error}.") from error
