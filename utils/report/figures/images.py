"""Images side by side: the weights of each class, and the mistakes."""

import math

from matplotlib.figure import Figure

from utils.report.evaluation import image_shape

from .style import style

MOST_MISTAKES = 15


@style()
def weights(evaluation):
    """Draw the weights of each class, all to one symmetric scale.

    One panel a class (of the first 100), in two rows of five where there are ten. Blue,
    a weight above 0, is where ink speaks for the class, and red where it speaks against
    it; the scale ends at the largest magnitude of all classes.
    """
    scale, n_out = evaluation.weight_scale, evaluation.W.shape[1]
    n_shown = evaluation.n_templates
    n_columns = math.ceil(n_shown / max(1, round(math.sqrt(n_shown / 2.5))))
    # No narrower than the words of the colour bar.
    width = max(8.5 / max(n_columns, 4), 0.7, 5.5 / n_columns)
    images, titles = evaluation.W.T[:n_shown], evaluation.class_names[:n_shown]
    sizes = width, 0.3, 1.1
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


@style()
def mistakes(evaluation):
    """Draw the wrong answers, the most confident first, in rows of five."""
    wrong = evaluation.mistakes
    shown = wrong[:MOST_MISTAKES]
    if not len(wrong):
        figure = Figure(figsize=(6, 1.2))
        words = f"No mistakes: all {len(evaluation.labels):,} test examples are right"
        figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=11)
        return figure
    names = evaluation.class_names
    end, title_height = ("\n", 0.55) if evaluation.has_class_names else (" ", 0.35)
    titles = [
        f"label {names[evaluation.labels[i]]},{end}"
        f"predicted {names[evaluation.predictions[i]]}\n"
        f"with {evaluation.confidence[i] * 100:.1f} %"
        for i in shown
    ]
    images, n_columns = evaluation.scaled(shown), max(2, min(5, len(shown)))
    colours = {"cmap": "gray_r", "vmin": images.min(), "vmax": images.max()}
    figure, panels = image_grid(
        images, titles, n_columns, (1.7, title_height, 0.4), **colours
    )
    for panel in panels:
        panel.spines[:].set(visible=True, color="0.8")
    answers = "wrong answer" if len(wrong) == 1 else "wrong answers"
    most = f"The {len(shown)} most confident of " if len(shown) < len(wrong) else ""
    figure.suptitle(f"{most}{len(wrong):,} {answers}")
    return figure


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
