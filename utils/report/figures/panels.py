"""Style and grids of images, which the pictures have in common."""

import contextlib
import math

import matplotlib
from matplotlib.figure import Figure

from utils.report.evaluation import image_shape

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 150,
    # The same picture is the same file: SVG's ids are random without a salt.
    "svg.hashsalt": "logistic regression",
}


@contextlib.contextmanager
def style():
    """Draw in the house's style, whatever the person's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def image_grid(images, titles, n_columns, sizes, **colours):
    """Draw flat images without axes, in rows, the last of which may be shorter.

    `sizes` are the width of a panel, the height of its title, and that of the figure's
    title and legend, in inches; `colours` are those of `imshow`. Returns the figure and
    a list of the panels.
    """
    width, title_height, extra_height = sizes
    images = images.reshape(-1, *image_shape(images.shape[1]))
    n, *shape = images.shape
    # A long strip would be a hairline: it is drawn no more than four times as wide.
    box_aspect = max(shape[0] / shape[1], 1 / 4)
    n_rows = math.ceil(n / n_columns)
    height = n_rows * (width * box_aspect + title_height) + extra_height
    figure = Figure(figsize=(n_columns * width, height), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).flatten().tolist()
    for spare in panels[n:]:
        spare.remove()
    for panel, pixels, title in zip(panels, images, titles, strict=False):
        # "none" leaves the pixels of an SVG to its viewer, sharp at any size.
        panel.imshow(pixels, interpolation="none", aspect="auto", **colours)
        panel.set(box_aspect=box_aspect, xticks=[], yticks=[], title=title)
        panel.spines[:].set_visible(False)
    return figure, panels[:n]
