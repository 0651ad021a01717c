"""Show what the model sees: a picture as it was read, beside its 28x28 pixels."""

import io
from pathlib import Path

import numpy as np

from utils.files import make_folder, write_atomic

HEIGHT, GAP = 280, 20


def write_previews(digits, folder):
    """Write ``NAME_seen.png`` for each digit: the grey picture, and the model's input.

    NAME is the stem of a digit's file; the second of two equal stems gets a number. The
    folder is created where it is missing.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    utils.files.WriteError
        If the folder cannot be made, or a file in it cannot be written.
    """
    folder = Path(folder)
    make_folder(folder)
    paths = []
    for digit in digits:
        stem, n = Path(digit.path).stem, 1
        path = folder / f"{stem}_seen.png"
        while path in paths:
            n += 1
            path = folder / f"{stem}_{n}_seen.png"
        write_atomic(path, _side_by_side(digit))
        paths.append(path)
    return paths


def _side_by_side(digit):
    """A PNG file, as bytes: the picture on the left, the model's input on the right."""
    from PIL import Image

    height, width = digit.grey.shape
    width = max(3, round(width * HEIGHT / height))  # a frame, and a column at least
    read = Image.fromarray(np.clip(digit.grey, 0, 255).astype("uint8"))
    # Dark on light, as people write; in the numbers ink is the larger value.
    seen = Image.fromarray((255 - digit.pixels.reshape(28, 28) * 255).astype("uint8"))
    page = Image.new("L", (width + GAP + HEIGHT + 2, HEIGHT + 2), 160)
    page.paste(255, (width, 0, width + GAP, HEIGHT + 2))
    page.paste(read.resize((width - 2, HEIGHT)), (1, 1))
    page.paste(
        seen.resize((HEIGHT, HEIGHT), Image.Resampling.NEAREST), (width + GAP + 1, 1)
    )
    data = io.BytesIO()
    page.save(data, "PNG")
    return data.getvalue()
