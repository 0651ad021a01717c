"""The style that the pictures have in common."""

import contextlib

import matplotlib

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
