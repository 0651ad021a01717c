"""Read a picture file as an array of colours, with Pillow."""

import contextlib
import errno
import os
import warnings

import numpy as np

from utils.errors import DigitImageError
from utils.files import open_regular

# Pillow decodes these itself; for others it would start programs.
FORMATS = "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"

# An iPhone's photographs name one of these in bytes 4 to 12.
HEIC_BRANDS = {b"ftyp" + b for b in (b"heic", b"heix", b"heim", b"mif1", b"msf1")}

# Larger pictures are shrunk first: only 20 pixels will be left in the end.
LARGEST_SIDE = 360
SMALLEST_SIDE = 8

# Telephones make photographs of 8192x6144 pixels, of at most 8 bytes in a file. Decoded
# a pixel takes 4, and WebP needs five copies at a time; JPEG is decoded smaller.
MAX_PIXELS, MAX_FILE_BYTES = 50 * 2**20, 2**29


def read_colours(path):
    """Read a picture, turned upright by its camera's note, on opaque paper.

    Returns
    -------
    numpy.ndarray of float64, ``(height, width, 1 or 3)``
        Between 0 (black) and 255 (white); at most 360 pixels a side.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DigitImageError(
            f"{path}: reading pictures needs Pillow, which is not installed: "
            "python -m pip install -e '.[plot]'"
        ) from error
    try:
        file, size = open_regular(path)
        with file, _silent_decoders(), warnings.catch_warnings(action="ignore"):
            # Pillow only warns of a picture between its limit and twice its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if size >= MAX_FILE_BYTES:
                raise OSError(errno.EFBIG, f"it has {MAX_FILE_BYTES} bytes or more")
            if file.read(12)[4:] in HEIC_BRANDS:
                raise DigitImageError(
                    f"{path}: is a HEIC photograph, as iPhones take them: expected one "
                    f"of the formats {', '.join(FORMATS)}. Export it as JPEG (on a Mac "
                    "with Preview; elsewhere `heif-convert photo.heic photo.jpg`), or "
                    "set the phone's Settings > Camera > Formats to Most Compatible."
                )
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                if min(image.size) < SMALLEST_SIDE:
                    raise DigitImageError(
                        f"{path}: the picture is {image.width}x{image.height} pixels: "
                        f"expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE}, so that a "
                        "digit can be seen."
                    )
                image.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                ImageOps.exif_transpose(image, in_place=True)
                return _colours(image)
    except (DigitImageError, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DigitImageError(
            f"{path}: the picture has more than {MAX_PIXELS:,} pixels: make it smaller."
        ) from error
    except Exception as error:  # decoders raise any kind on damaged data
        reason = f"it is damaged: {error}"
        if isinstance(error, OSError):
            reason = error.strerror or "it is damaged, or of another kind"
        raise DigitImageError(
            f"{path}: cannot be read as a picture ({reason}). Expected a file of one "
            f"of the formats {', '.join(FORMATS)}."
        ) from error


@contextlib.contextmanager
def _silent_decoders():
    """Drop the lines that libtiff prints about damaged data, past Python's streams."""
    with open(os.devnull, "w") as null:
        held = os.dup(2)
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(held, 2)
            os.close(held)


def _colours(image):
    """Any of Pillow's modes to an array of red, green and blue between 0 and 255."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _shrunk(image.convert("F"))
        if not np.isfinite(grey).all():
            raise ValueError("pixels that are NaN or infinite")
        limit = 65535.0 if 255 < grey.max() <= 65535 else max(grey.max(), 255.0)
        return (np.clip(grey, 0, None) * (255.0 / limit))[..., None]
    if "A" not in image.getbands() and "transparency" not in image.info:
        return _shrunk(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    colours = _shrunk(image.convert("RGBA"))
    opacity = colours[..., 3:]
    # Black paper under light ink: a white digit would vanish on white.
    ink_level = (colours[..., :3] * opacity).sum() / max(3 * opacity.sum(), 1)
    paper = 255.0 if ink_level < 128 else 0.0
    return paper + (colours[..., :3] - paper) * opacity / 255


def _shrunk(image):
    """As an array, by area averages where a side exceeds LARGEST_SIDE."""
    from PIL import Image

    scale = min(1, LARGEST_SIDE / max(image.size))
    size = [max(1, round(n * scale)) for n in image.size]
    values = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float64)
    return values.reshape(*values.shape[:2], -1)
