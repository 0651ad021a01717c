"""The weights of each class as a picture."""

from html import escape

import numpy as np

from utils.report.evaluation import MOST_TEMPLATES, image_shape
from utils.report.page.images import data_uri, diverging


def templates(evaluation):
    """A list of pictures, one for each class, all to one scale; and its legend."""
    if evaluation.no_templates:
        return f"<p>No pictures of weights: {escape(evaluation.no_templates)}</p>"
    n_out, scale = evaluation.W.shape[1], evaluation.weight_scale
    height, width = image_shape(len(evaluation.W))
    weights = evaluation.W.T[:MOST_TEMPLATES].reshape(-1, height, width)
    items = "".join(
        f'<li><figure><img src="{data_uri(picture)}" width="{width}" '
        f'height="{height}" alt="Weights of class {c}">'
        f"<figcaption>{c}</figcaption></figure></li>"
        for c, picture in enumerate(diverging(weights, scale))
    )
    ramp = data_uri(diverging(np.linspace(-1, 1, 101)[None], 1.0))
    rest = f"<p>The first {MOST_TEMPLATES} of {n_out:,} classes.</p>"
    return (
        "<p>The score of a class is the sum of its weights under the ink. These are "
        "the weights, one picture per class, all to the same scale.</p>\n"
        f'<ul class="templates">{items}</ul>\n'
        f'<p class="ramp"><img src="{ramp}" width="101" height="1" '
        f'alt="From red over white to blue:"><span>−{scale:.2g}: ink here speaks '
        f"against the class</span><span>+{scale:.2g}: ink here speaks for it</span></p>"
        + (rest if n_out > MOST_TEMPLATES else "")
    )
