"""The weights of each class as a picture."""

import numpy as np

from utils.report.page.images import data_uri, diverging, image_shape

MOST_CLASSES = 100


def templates(W):
    """A picture for each class, all to one scale.

    Parameters
    ----------
    W : numpy.ndarray, ``(n_in, n_out)``

    Returns
    -------
    str
        HTML: a list of pictures, and the legend of their colours.
    """
    n_in, n_out = W.shape
    shape = image_shape(n_in)
    scale = float(np.abs(W).max()) or 1.0
    items = [
        f'<li><figure><img src="{data_uri(diverging(W[:, c].reshape(shape), scale))}" '
        f'width="{shape[1]}" height="{shape[0]}" alt="Weights of class {c}">'
        f"<figcaption>{c}</figcaption></figure></li>"
        for c in range(min(n_out, MOST_CLASSES))
    ]
    ramp = data_uri(diverging(np.linspace(-1, 1, 101)[None], 1.0))
    rest = f"<p>The first {MOST_CLASSES} of {n_out:,} classes.</p>"
    return (
        f'<ul class="templates">{"".join(items)}</ul>\n'
        f'<p class="ramp"><img src="{ramp}" width="101" height="1" '
        f'alt="From red over white to blue:"><span>−{scale:.2g}: ink here speaks '
        f"against the class</span><span>+{scale:.2g}: ink here speaks for it</span></p>"
        + (rest if n_out > MOST_CLASSES else "")
    )
