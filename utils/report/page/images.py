"""Small images in a page, as PNGs: the weights of each class, and the mistakes."""

import base64
import struct
import zlib
from html import escape

import numpy as np

from utils.report.evaluation import image_shape

MOST_MISTAKES = 20

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


def templates(evaluation):
    """A list of pictures, one for each class, all to one scale; and its legend."""
    if evaluation.no_templates:
        return f"<p>No pictures of weights: {escape(evaluation.no_templates)}</p>"
    n_out, scale = evaluation.W.shape[1], evaluation.weight_scale
    images = diverging(evaluation.W.T[: evaluation.n_templates], scale)
    names = evaluation.class_names[: len(images)]
    kind = "templates words" if evaluation.has_class_names else "templates"
    texts = [(f"Weights of class {name}", name) for name in names]
    ramp = data_uri(diverging(np.linspace(-1, 1, 101)[None], 1.0))
    rest = f"<p>The first {len(images)} of {n_out:,} classes.</p>"
    return (
        "<p>The score of a class is the sum of its weights under the ink. These are "
        "the weights, one picture per class, all to the same scale.</p>\n"
        f"{picture_list(kind, images, texts)}\n"
        f'<p class="ramp"><img src="{ramp}" width="101" height="1" '
        f'alt="From red over white to blue:"><span>−{scale:.2g}: ink here speaks '
        f"against the class</span><span>+{scale:.2g}: ink here speaks for it</span></p>"
        + (rest if n_out > len(images) else "")
    )


def mistakes(evaluation):
    """A list of pictures, the mistakes of which the model was most confident."""
    wrong = evaluation.mistakes
    if not len(wrong):
        return "<p>There are none.</p>"
    shown, names = wrong[:MOST_MISTAKES], evaluation.class_names
    captions = (
        f"<b>{names[evaluation.labels[i]]}</b> read as "
        f"<b>{names[evaluation.predictions[i]]}</b>"
        f"<small>with {evaluation.confidence[i] * 100:.1f} %</small>"
        for i in shown
    )
    texts = zip((f"Test example {i}" for i in shown), captions, strict=True)
    return (
        f"<p>The {len(shown)} wrong answers, of {len(wrong):,}, of which the model is "
        "most confident.</p>"
        + picture_list("mistakes", grey(evaluation.scaled(shown)), texts)
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
    pictures = images.reshape(-1, height, width, *images.shape[2:])
    items = "".join(
        f'<li><figure><img src="{data_uri(picture)}" width="{width}" '
        f'height="{height}" alt="{alternative}">'
        f"<figcaption>{caption}</figcaption></figure></li>"
        for picture, (alternative, caption) in zip(pictures, texts, strict=True)
    )
    return f'<ul class="{kind}">{items}</ul>'


def data_uri(pixels):
    """An image, uint8 and ``(height, width)`` or with 3 channels, as a ``data:`` URI.

    Made without an image library, after section 11.2 of W3C's Portable Network Graphics
    (PNG) Specification.
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
