"""The weights of each class as an image: where ink speaks for it, and where against."""

import math

from utils.report.evaluation import MOST_TEMPLATES

from .panels import image_grid, style


@style()
def weights(evaluation):
    """Draw the weights of each class, all to one symmetric scale.

    One panel a class (of the first 100), in two rows of five where there are ten. Blue,
    a weight above 0, is where ink speaks for the class, and red where it speaks against
    it; the scale ends at the largest magnitude of all classes.
    """
    scale, n_out = evaluation.weight_scale, evaluation.W.shape[1]
    n_shown = min(n_out, MOST_TEMPLATES)
    n_columns = math.ceil(n_shown / max(1, round(math.sqrt(n_shown / 2.5))))
    # No narrower than the words of the colour bar.
    width = max(8.5 / max(n_columns, 4), 0.7, 5.5 / n_columns)
    images, titles, sizes = evaluation.W.T[:n_shown], range(n_shown), (width, 0.3, 1.1)
    colours = {"cmap": "RdBu", "vmin": -scale, "vmax": scale}
    figure, panels = image_grid(images, titles, n_columns, sizes, **colours)
    of = "" if n_shown == n_out else f" (the first {n_shown} of {n_out})"
    figure.suptitle(f"Weights of each class{of}")
    # 0.2 inches thick, whatever the size of the panels.
    width, height = figure.get_size_inches()
    size = {"fraction": 0.25 / height, "aspect": 0.95 * width / 0.2}
    bar = figure.colorbar(panels[0].images[0], ax=panels, location="bottom", **size)
    bar.set_ticks(
        [-scale, -scale / 2, 0, scale / 2, scale],
        labels=[
            f"−{scale:.3g}",
            "red: ink here speaks\nagainst the class",
            "0",
            "blue: ink here speaks\nfor the class",
            f"+{scale:.3g}",
        ],
    )
    bar.outline.set_visible(False)
    return figure
