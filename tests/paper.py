"""Pictures of digits on paper, drawn from MNIST's test images, and how many are read.

A picture is computed at each of its pixels: where on the page it lies, how much of a
line and of the pen covers it there, then the light and the camera. So lines and strokes
are sharp at any size. The table of the code in this checkout::

    LOGREG_DATA=folder python tests/paper.py best_model.pkl [FOLDER FOR THE PICTURES]
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.special import softmax

WHITE, CREAM, GREY = (250, 250, 248), (247, 240, 222), (205, 205, 200)
KRAFT, BLACKBOARD, NAVY = (196, 164, 120), (38, 48, 44), (30, 38, 70)
BLACK, BLUE, NAVY_INK = (25, 25, 28), (35, 60, 160), (22, 30, 90)
RED, GREEN, PENCIL = (190, 30, 45), (20, 110, 60), (105, 105, 110)
CHALK, GEL = (235, 235, 225), (240, 225, 120)
PALE_BLUE, SKY, GREY_LINE = (170, 200, 235), (110, 160, 220), (185, 185, 190)
GREEN_LINE, ORANGE_LINE, RED_LINE = (140, 200, 165), (240, 190, 150), (225, 110, 120)
WOOD = (120, 80, 50), (70, 50, 40), (90, 95, 100), (170, 130, 90), (35, 35, 38)

# Paper, pens and ruling: colours to choose from. `lines`: across, or also down.
PENS = {"pen": (BLACK, BLUE, NAVY_INK, RED, GREEN)}
LINES = {"ruling": (PALE_BLUE, SKY, GREY_LINE), "lines": 1}
SQUARES = {"ruling": (PALE_BLUE, SKY, GREY_LINE, GREEN_LINE), "lines": 2}
PHOTO = {"photo": True}
KINDS = {
    "plain, scanned": {},
    "plain, photographed": PHOTO,
    "plain, chalk": {"paper": (BLACKBOARD, NAVY), "pen": (CHALK, GEL), **PHOTO},
    "plain, small in the photograph": {"share": (0.18, 0.25), **PHOTO},
    "lines, scanned": LINES,
    "lines, photographed": LINES | PHOTO,
    "lines and a margin": LINES | PHOTO | {"margin": True},
    "squares, scanned": SQUARES,
    "squares, photographed": SQUARES | PHOTO,
    "squares, drawn without noise": SQUARES | {"noise": 0},
    "squares, small in the photograph": SQUARES | PHOTO | {"share": (0.18, 0.25)},
    "blue pen on blue lines": LINES | PHOTO | {"pen": (BLUE,), "ruling": (SKY,)},
    "red pen on squares": SQUARES | PHOTO | {"pen": (RED,)},
    "pencil on squares": SQUARES | PHOTO | {"pen": (PENCIL,)},
    "millimetre paper": {"lines": 2, "ruling": (ORANGE_LINE, GREEN_LINE), "fine": True},
    "dots": {"lines": 3, "ruling": (GREY_LINE,), **PHOTO},
    "squares on grey and brown paper": SQUARES | PHOTO
    | {"paper": (GREY, KRAFT), "pen": (BLACK, NAVY_INK), "ruling": ((150, 140, 130),)},
    "squares, light on dark": {"paper": (BLACKBOARD, NAVY), "pen": (CHALK, GEL)}
    | {"lines": 2, "ruling": ((95, 105, 115),), **PHOTO},
    "shadow": PHOTO | {"shadow": True},
    "shadow on squares": SQUARES | PHOTO | {"shadow": True},
    "table's edge": PHOTO | {"table": 1},
    "table's edge, lines": LINES | PHOTO | {"table": 1},
    "table's edges, squares": SQUARES | PHOTO | {"table": 2},
    "whole sheet on a table": SQUARES | PHOTO | {"table": 4, "share": (0.2, 0.35)},
}  # fmt: skip


def of(rng, colours):
    """One of some colours, a little changed, as fractions of 1."""
    colour = np.array(colours[rng.integers(len(colours))], float)
    return np.float32(np.clip(colour + rng.normal(0, 6, 3), 0, 255) / 255)


def stroke(image):
    """28x28 bytes as a smooth stroke, 320x320, of values around 0.5 at its edge."""
    padded = np.pad(image / np.float32(255), 2)
    large = ndimage.zoom(padded, 10, order=3, grid_mode=True, mode="nearest")
    return ndimage.gaussian_filter(large, 4)


def picture(images, rng, *, paper=(WHITE, CREAM), pen=PENS["pen"], ruling=(), lines=0,
            margin=False, fine=False, photo=False, noise=1.5, share=(0.25, 0.7),
            shadow=False, table=0):  # fmt: skip
    """Draw digits side by side on a page; `numpy.ndarray` of bytes, ``(h, w, 3)``."""
    side = int(np.exp(rng.uniform(*np.log([220, 1000]))))
    height, width = (int(side * s) for s in rng.permutation([1, rng.uniform(0.7, 1)]))
    digit = rng.uniform(8, 30)  # mm, as all lengths on the page
    view = digit / rng.uniform(*share)  # the shorter side of the picture
    mm = view / min(height, width)
    y, x = np.mgrid[:height, :width].astype("float32") * mm
    y, x = y - height * mm / 2, x - width * mm / 2
    a = np.radians(rng.uniform(-1, 1) * (6 if photo else 1))
    x, y = x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)
    if photo:  # tilted and a little bent
        tilt = rng.uniform(-0.15, 0.15, 2) / view
        x, y = (c / (1 + tilt[0] * x + tilt[1] * y) for c in (x, y))
        y = y + rng.uniform(-0.01, 0.01) * x * x / view

    def covered(distance, width):
        return np.clip(0.5 + (width / 2 - np.abs(distance)) / mm, 0, 1) * min(
            1, width / mm
        )

    page = np.ones((height, width, 3), "float32") * of(rng, paper)
    spacing, thick = rng.uniform(4, 12), rng.uniform(0.12, 0.45)
    if lines:
        colour, start = of(rng, ruling), rng.uniform(0, spacing, 2)
        down, across = (
            (c - s) % spacing - spacing / 2 for c, s in zip((y, x), start, strict=True)
        )
        cover = covered(down, thick)
        if lines == 2:
            cover = np.maximum(cover, covered(across, thick))
        if lines == 3:
            cover = covered(np.hypot(down, across), 3 * thick)
        if fine:
            thin = [covered((c + 0.5) % 1 - 0.5, 0.1) for c in (down, across)]
            cover = np.maximum(cover, 0.6 * np.maximum(*thin))
        page += cover[..., None] * (colour - page)
    place = np.array(
        [rng.uniform(-0.5, 0.5) * max(0, n * mm - 1.3 * digit) for n in (height, width)]
    )
    place *= 0.5 if table else 0.9
    if margin:
        at = place[1] + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9) * digit
        page += covered(x - at, 1.5 * thick)[..., None] * (of(rng, (RED_LINE,)) - page)
    ink, edge = np.zeros_like(x), rng.uniform(0.38, 0.55)
    scale = 20 * 10 / digit  # pixels of the stroke for a millimetre
    for n, image in enumerate(images):
        shift = place[1] + (n - (len(images) - 1) / 2) * 1.1 * digit
        at = [(y - place[0]) * scale + 160, (x - shift) * scale + 160]
        depth = ndimage.map_coordinates(stroke(image), at, order=1)
        soft = max(0.06, 0.1 * mm * scale)
        ink = np.maximum(ink, np.clip((depth - edge) / soft + 0.5, 0, 1))
    colour = of(rng, pen)
    if rng.random() < 0.5 and colour.sum() < 1.5:  # a transparent pen
        page *= 1 - ink[..., None] * (1 - colour)
    else:
        page += ink[..., None] * (colour - page)
    if table:
        wood = of(rng, WOOD)
        grain = 1 + 0.1 * np.sin(x / view * 90 + 3 * np.sin(y / view * 9))
        ends = [height * mm / 2, width * mm / 2]
        for edge in rng.permutation(4)[:table]:
            axis, sign = edge % 2, 1 - 2 * (edge // 2)
            beyond = sign * (y, x)[axis] - ends[axis] * rng.uniform(0.7, 0.85)
            beyond = np.clip(beyond / mm + 0.5, 0, 1)[..., None]
            page += beyond * (wood * grain[..., None] - page)
    if photo:
        u, v = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        direction, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.25)
        light = 1 - fall * (1 + u * np.sin(direction) + v * np.cos(direction))
        light -= rng.uniform(0, 0.1) * (u * u + v * v)
        if shadow:
            turn, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
            across = u * np.sin(turn) + v * np.cos(turn) - where
            light *= 1 - rng.uniform(0.2, 0.45) / (
                1 + np.exp(-across / rng.uniform(0.01, 0.15))
            )
        page *= light[..., None] * rng.uniform(0.9, 1, 3)
        page = ndimage.gaussian_filter(page, (rng.uniform(0.3, 1.2),) * 2 + (0,))
        noise *= rng.uniform(1, 4)
    page = 255 * page + rng.standard_normal(page.shape, "float32") * noise
    return np.clip(page, 0, 255).astype("uint8")


def examples(model, data):
    """MNIST's test images and labels that a model reads right and with more than 90 %.

    Returns
    -------
    images, labels : numpy.ndarray
    answer : callable
        From rows of 784 pixels to their classes.
    """
    from logistic_sgd import load_model
    from utils import datasets

    classifier = load_model(model)
    W, b = (v.get_value().astype(float) for v in (classifier.W, classifier.b))
    images, labels = (np.asarray(values) for values in datasets.load(data)[2])
    p = softmax(images @ W + b, axis=1)
    sure = (p.argmax(axis=1) == labels) & (p.max(axis=1) > 0.9)
    images = (images[sure] * 256).astype("uint8").reshape(-1, 28, 28)
    return images, labels[sure], lambda x: (x @ W + b).argmax(axis=1)


def count(kind, images, labels, answer, folder, n=20, seed=1):
    """Draw `n` pictures of a kind; how many are read right, and how many doubted."""
    from PIL import Image

    from utils import digit_image

    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    right = doubted = 0
    for i in rng.choice(len(images), n, replace=False):
        options = KINDS[kind]
        suffix = "png" if options.get("noise") == 0 else "jpg"
        path = Path(folder, f"{kind.replace(' ', '_')}_{i}_{labels[i]}.{suffix}")
        page = Image.fromarray(picture([images[i]], rng, **options))
        page.save(path, quality=int(rng.integers(65, 93)))
        digits, _ = digit_image.read_all([path])
        for digit in digits:
            right += answer(digit.pixels[None])[0] == labels[i]
            doubted += bool(getattr(digit, "doubts", ()))
    return right, doubted


def main(model, folder=None):
    known = examples(model, os.environ["LOGREG_DATA"])
    print("| kind | right of 20 | doubted |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as temporary:
        for kind in KINDS:
            right, doubted = count(kind, *known, folder or temporary)
            print(f"| {kind} | {right} | {doubted} |", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(*sys.argv[1:])
