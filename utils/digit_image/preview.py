"""Show what the model sees: a picture as it was read, beside the model's pixels."""

import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from utils.files import make_folder, write_atomic

HEIGHT, GAP = 280, 20
MARK = b"logistic_sgd.py --predict"  # among the first bytes of each preview


def preview_paths(
    pictures: Iterable[str | os.PathLike], folder: str | os.PathLike
) -> list[Path]:
    """The places of the previews of picture files: a list of pathlib.Path.

    Each is ``NAME_seen.png``, where NAME is the stem of the picture's file; the second
    of two equal stems gets a number.
    """
    paths, last = {}, {}
    for picture in pictures:
        stem = Path(picture).stem
        path = Path(folder, f"{stem}_seen.png")
        while path in paths:
            last[stem] = last.get(stem, 1) + 1
            path = Path(folder, f"{stem}_{last[stem]}_seen.png")
        paths[path] = None
    return list(paths)


def is_preview(path: str | os.PathLike) -> bool:
    """Return True if `write_previews` wrote a file."""
    with open(path, "rb") as file:
        return MARK in file.read(256)


def write_previews(digits: Sequence, folder: str | os.PathLike) -> list[Path]:
    """Write a preview of each digit: the grey picture, and the model's input.

    The folder is created where it is missing.

    Returns
    -------
    list of pathlib.Path
        See `preview_paths`.

    Raises
    ------
    utils.files.WriteError
        If the folder cannot be made, or a file in it cannot be written.
    """
    make_folder(folder)
    paths = preview_paths([digit.path for digit in digits], folder)
    for path, digit in zip(paths, digits, strict=True):
        write_atomic(path, _side_by_side(digit))
    return paths


def _side_by_side(digit):
    """A PNG file, as bytes: the picture on the left, the model's input on the right."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    height, width = digit.grey.shape
    width = max(3, round(width * HEIGHT / height))  # a frame, and a column at least
    read = Image.fromarray(np.clip(digit.grey, 0, 255).astype("uint8"))
    # Dark on light, as people write; in the numbers ink is the larger value.
    side = math.isqrt(digit.pixels.size)
    pixels = digit.pixels.reshape(side, side)
    seen = Image.fromarray((255 - pixels * 255).astype("uint8"))
    page = Image.new("L", (width + GAP + HEIGHT + 2, HEIGHT + 2), 160)
    page.paste(255, (width, 0, width + GAP, HEIGHT + 2))
    page.paste(read.resize((width - 2, HEIGHT)), (1, 1))
    page.paste(
        seen.resize((HEIGHT, HEIGHT), Image.Resampling.NEAREST), (width + GAP + 1, 1)
    )
    data, info = io.BytesIO(), PngInfo()
    info.add_text("Software", MARK.decode())
    page.save(data, "PNG", pnginfo=info)
    return data.getvalue()
