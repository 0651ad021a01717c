"""Small images in a page: pixels to a PNG's data URI, without an image library."""

import base64
import struct
import zlib

import numpy as np

from utils.report.evaluation import image_shape

# ColorBrewer's RdBu, the red end first: red for weights below 0, blue above.
RDBU = np.array(
    [
        *[(103, 0, 31), (178, 24, 43), (214, 96, 77), (244, 165, 130), (253, 219, 199)],
        (247, 247, 247),
        *[(209, 229, 240), (146, 197, 222), (67, 147, 195), (33, 102, 172)],
        (5, 48, 97),
    ],
    dtype=float,
)


def diverging(values, scale):
    """Colours from red (``-scale``) over white (0) to blue (``scale``).

    They are uint8, of the shape of `values` with one more axis, of length 3.
    """
    stops = np.linspace(-scale, scale, len(RDBU))
    channels = [np.interp(values, stops, channel) for channel in RDBU.T]
    return np.stack(channels, axis=-1).round().astype("uint8")


def grey(images):
    """Bytes of grey, all to one scale: the largest value is ink, and black."""
    lightest, darkest = images.min(), images.max()
    share = (images - lightest) / ((darkest - lightest) or 1.0)
    return (255 - share * 255).round().astype("uint8")


def picture_list(kind, images, texts):
    """A list of class `kind`: flat images, and of each an alternative and a caption."""
    height, width = image_shape(images.shape[1])
    items = "".join(
        f'<li><figure><img src="{data_uri(picture)}" width="{width}" '
        f'height="{height}" alt="{alternative}">'
        f"<figcaption>{caption}</figcaption></figure></li>"
        for picture, (alternative, caption) in zip(
            images.reshape(-1, height, width, *images.shape[2:]), texts, strict=True
        )
    )
    return f'<ul class="{kind}">{items}</ul>'


def data_uri(pixels):
    """An image, uint8 and ``(height, width)`` or with 3 channels, as a ``data:`` URI.

    See section 11.2 of W3C's Portable Network Graphics (PNG) Specification.
    """
    height, width = pixels.shape[:2]
    colour_type = 0 if pixels.ndim == 2 else 2
    # Each row begins with the number of its filter: 0, none.
    rows = pixels.reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), "uint8"), rows], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    compressed = zlib.compress(lines.tobytes(), 9)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", compressed), (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        data += struct.pack(">I", len(body)) + kind + body + checksum
    return "data:image/png;base64," + base64.b64encode(data).decode()
