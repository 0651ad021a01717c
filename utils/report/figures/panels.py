"""Style, panels and grids, which the pictures have in common."""

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


def box_aspect(n_in):
    """Height over width of the panel of an image.

    A long strip would be a hairline: it is drawn no more than four times as wide.
    """
    height, width = image_shape(n_in)
    return max(height / width, 1 / 4)


def show_image(axes, pixels, **arguments):
    """Draw one flat image without axes; returns matplotlib's image."""
    # "none" leaves the pixels of an SVG to its viewer, sharp at any size.
    pixels = pixels.reshape(image_shape(len(pixels)))
    image = axes.imshow(pixels, interpolation="none", aspect="auto", **arguments)
    axes.set(box_aspect=box_aspect(pixels.size), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return image


def grid(n, n_columns, panel_size, extra_height):
    """A figure with `n` panels in rows, the last of which may be shorter.

    `panel_size` is the width and height of a panel, `extra_height` is for the title and
    a legend, in inches. Returns the figure and a list of the panels.
    """
    n_rows = math.ceil(n / n_columns)
    width, height = panel_size
    size = n_columns * width, n_rows * height + extra_height
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).flatten().tolist()
    for spare in panels[n:]:
        spare.remove()
    return figure, panels[:n]
