"""What the pictures have in common: their style, grids of panels, shapes of images."""

import contextlib
import math

import matplotlib
from matplotlib.figure import Figure

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


def image_shape(n_in):
    """Height and width at which to draw `n_in` pixels whose shape is not known.

    A model knows only how many pixels it takes. Of the rectangles of so many pixels
    that are at least as wide as high, this is the one nearest to a square: 784 is 28 x
    28, 12 is 3 x 4, and a prime number is a strip of one row.

    Parameters
    ----------
    n_in : int

    Returns
    -------
    height, width : int
    """
    height = next(h for h in range(math.isqrt(n_in), 0, -1) if n_in % h == 0)
    return height, n_in // height


def box_aspect(n_in):
    """Height over width of the panel of an image.

    A long strip would be a hairline: it is drawn no more than four times as wide.
    """
    height, width = image_shape(n_in)
    return max(height / width, 1 / 4)


def show_image(axes, pixels, **arguments):
    """Draw one flat image without axes; returns matplotlib's image."""
    # "none" leaves the pixels of an SVG to its viewer, sharp at any size.
    image = axes.imshow(
        pixels.reshape(image_shape(len(pixels))),
        interpolation="none",
        aspect="auto",
        **arguments,
    )
    axes.set_box_aspect(box_aspect(len(pixels)))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return image


def grid(n, n_columns, panel_size, extra_height):
    """A figure with `n` panels in rows, the last of which may be shorter.

    Parameters
    ----------
    n, n_columns : int
    panel_size : (float, float)
        Width and height of a panel, in inches.
    extra_height : float
        Inches for title and legend.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : list of `n` matplotlib.axes.Axes
    """
    n_rows = math.ceil(n / n_columns)
    width, height = panel_size
    figure = Figure(
        figsize=(n_columns * width, n_rows * height + extra_height),
        layout="constrained",
    )
    panels = figure.subplots(n_rows, n_columns, squeeze=False).flatten().tolist()
    for spare in panels[n:]:
        spare.remove()
    return figure, panels[:n]
