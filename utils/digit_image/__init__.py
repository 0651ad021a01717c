"""From a picture of a digit to the 28x28 pixels that a model of MNIST expects.

A picture may be of any size and colour, dark on light or light on dark, drawn, scanned
or photographed. `picture_file` reads it as grey, `paper` tells ink from paper,
`fitting` brings the ink to MNIST's size and place, `preview` shows the result.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from utils.digit_image.fitting import SIDE, fit
from utils.digit_image.paper import find_ink
from utils.digit_image.picture_file import read_grey
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
    """

    path: str | os.PathLike
    grey: np.ndarray
    pixels: np.ndarray


def read(path: str | os.PathLike) -> NDArray:
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


def read_all(
    paths: Iterable[str | os.PathLike],
) -> tuple[list[DigitImage], list[DigitImageError]]:
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
    grey = read_grey(path)
    try:
        return DigitImage(path, grey, fit(find_ink(grey)).ravel())
    except DigitImageError as error:
        raise DigitImageError(f"{path}: the picture {error}.") from error
