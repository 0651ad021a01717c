"""From a picture of a digit to the pixels that a model expects: 28x28, or 8x8.

A picture may be of any size and colour, dark on light or light on dark, drawn, scanned
or photographed, on plain or ruled paper. `picture_file` reads it, `paper` tells ink
from paper, with `ruling` for what is printed there and `pieces` for which ink is the
digit; `fitting` brings it to a dataset's size and place, `preview` shows the result.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from utils.digit_image.fitting import MNIST, Frame, fit, frame_of
from utils.digit_image.paper import find_ink, find_shape
from utils.digit_image.picture_file import read_colours
from utils.digit_image.preview import is_preview, preview_paths, write_previews
from utils.errors import DigitImageError

__all__ = [
    "DigitImage",
    "DigitImageError",
    "find_ink",
    "fit",
    "frame_of",
    "is_preview",
    "preview_paths",
    "read",
    "read_all",
    "write_previews",
]


@dataclass(frozen=True)
class DigitImage:
    """A digit that was found in a picture file.

    Attributes
    ----------
    path : str or os.PathLike
    grey : numpy.ndarray of float64, ``(height, width)``
        The picture as it was read: 0 is black, 255 white.
    pixels : numpy.ndarray of float64, ``(n_in,)``
        The model's input; see `read`.
    doubts : list of str
        Why it may be another digit; see `find_ink`.
    """

    path: str | os.PathLike
    grey: np.ndarray
    pixels: np.ndarray
    doubts: list


def read(path: str | os.PathLike, frame: Frame = MNIST) -> NDArray:
    """Read the digit in a picture file.

    Parameters
    ----------
    path : str or os.PathLike
        PNG, JPEG, WebP, GIF, BMP, TIFF or PPM.
    frame : fitting.Frame
        Default: that of MNIST.

    Returns
    -------
    numpy.ndarray of float64, ``(784,)``, or what the frame has
        Row by row, from 0 for paper to 255/256 for ink, as MNIST's ``byte / 256``.
        With a first axis, ``read(path)[None]``, `predict` takes it as `images`.

    Raises
    ------
    DigitImageError
        Naming the file, what was expected and what was found: no picture, no digit in
        it, or no Pillow to read it with.
    """
    return _find(path, frame).pixels


def read_all(
    paths: Iterable[str | os.PathLike], frame: Frame = MNIST
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
            digits.append(_find(path, frame))
        except DigitImageError as error:
            errors.append(error)
    return digits, errors


def _find(path, frame):
    picture = read_colours(path)
    try:
        ink, doubts = (find_shape if frame.filled else find_ink)(picture)
        pixels = fit(ink, frame).ravel()
        return DigitImage(path, picture.mean(axis=2), pixels, doubts)
    except DigitImageError as error:
        raise DigitImageError(f"{path}: the picture {error}.") from error
