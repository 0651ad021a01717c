"""The weights of each class as a picture."""

from html import escape

import numpy as np

from utils.report.evaluation import MOST_TEMPLATES
from utils.report.page.images import data_uri, diverging, picture_list


def templates(evaluation):
    """A list of pictures, one for each class, all to one scale; and its legend."""
    if evaluation.no_templates:
        return f"<p>No pictures of weights: {escape(evaluation.no_templates)}</p>"
    n_out, scale = evaluation.W.shape[1], evaluation.weight_scale
    images = diverging(evaluation.W.T[:MOST_TEMPLATES], scale)
    texts = [(f"Weights of class {c}", c) for c in range(len(images))]
    ramp = data_uri(diverging(np.linspace(-1, 1, 101)[None], 1.0))
    rest = f"<p>The first {MOST_TEMPLATES} of {n_out:,} classes.</p>"
    return (
        "<p>The score of a class is the sum of its weights under the ink. These are "
        "the weights, one picture per class, all to the same scale.</p>\n"
        f"{picture_list('templates', images, texts)}\n"
        f'<p class="ramp"><img src="{ramp}" width="101" height="1" '
        f'alt="From red over white to blue:"><span>−{scale:.2g}: ink here speaks '
        f"against the class</span><span>+{scale:.2g}: ink here speaks for it</span></p>"
        + (rest if n_out > MOST_TEMPLATES else "")
    )
