"""The confusion matrix: how a model answered the test examples of each class."""

import numpy as np
from matplotlib.figure import Figure

from utils.report.evaluation import MOST_COUNTED_CLASSES, percent

from .style import style

# Up to so many classes a cell has room for a rate below its count.
MOST_WITH_RATES = 12


@style()
def confusion(evaluation):
    """Draw how many test examples of each class were given each prediction.

    Bars beside it are the recall of each class, below it the precision. The title is
    the error over all examples; below it, why training printed another one.
    """
    rates, wrong_rates = evaluation.rates, evaluation.wrong_rates
    n_out = len(rates)
    side = min(max(4.5, 1.6 + 0.58 * n_out), 9)
    figure = Figure(figsize=(max(side, 7), side + 0.6), layout="constrained")
    ratios = {"width_ratios": (1, 0.12), "height_ratios": (1, 0.12)}
    grid = figure.subplots(2, 2, sharex="col", sharey="row", **ratios)
    (axes, beside), (below, corner) = grid
    corner.remove()
    # Mistakes have a scale of their own: beside the right answers they would all be
    # as pale as none.
    right = np.eye(n_out, dtype=bool)
    blue, orange = np.ma.masked_where(~right, rates), np.ma.masked_where(right, rates)
    images = [
        axes.imshow(blue, cmap="Blues", vmin=0, vmax=1.3),
        axes.imshow(orange, cmap="Oranges", vmin=0, vmax=wrong_rates.max() or 1),
    ]
    axes.set_aspect("auto")  # in line with the bars
    if n_out <= MOST_COUNTED_CLASSES:
        _write_counts(axes, evaluation.counts, rates, images)
        names, words = evaluation.class_names, evaluation.has_class_names
        aslant = {"rotation": 30, "ha": "left"} if words else {}
        axes.set_xticks(range(n_out), names, **aslant)
        axes.set_yticks(range(n_out), names)
    _draw_shares(beside, below, evaluation)
    axes.xaxis.set(label_position="top", ticks_position="top")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="prediction", ylabel="label")
    n, n_wrong = len(evaluation.labels), len(evaluation.mistakes)
    figure.suptitle(
        f"{n_wrong:,} of all {n:,} test examples are wrong: {n_wrong / n * 100:.2f} %"
    )
    axes.set_title(
        f"{_explanation(evaluation)}Blue: right. Orange: wrong, darker for a larger "
        "share of its row (the label).\nRecall: the share of a row that is right. "
        "Precision: the share of a column that is right.",
        fontsize=8,
        color="0.3",
    )
    return figure


def _write_counts(axes, counts, rates, images):
    with_rates = len(counts) <= MOST_WITH_RATES
    for row, column in zip(*np.nonzero(counts), strict=True):
        image = images[0 if row == column else 1]
        rate = f"\n{rates[row, column] * 100:.1f} %" if with_rates else ""
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}{rate}",
            color="white" if image.norm(rates[row, column]) > 0.6 else "black",
            **_font(len(counts)),
        )


def _font(n_out):
    size = 8.5 if n_out <= MOST_WITH_RATES else 6.5
    return {"ha": "center", "va": "center", "fontsize": size}


def _draw_shares(beside, below, evaluation):
    """Draw the recall of each row and the precision of each column, as bars."""
    recall, precision = evaluation.recall, evaluation.precision
    n_out = evaluation.n_out
    # One shape each: so many bars as there may be classes would take seconds.
    steps = {"edges": np.arange(n_out + 1) - 0.5, "fill": True, "color": "#cfe3d0"}
    beside.stairs(np.nan_to_num(recall), orientation="horizontal", **steps)
    below.stairs(np.nan_to_num(precision), **steps)
    beside.set(title="recall, %", xlim=(0, 1))
    below.set_ylabel("precision,\n%", rotation=0, ha="right", va="center")
    below.set_ylim(0, 1)
    for bars in beside, below:
        bars.tick_params(length=0, labelbottom=False, labelleft=False)
        bars.spines[:].set_visible(False)
        bars.set_facecolor("0.96")
    angle = 0 if n_out <= MOST_WITH_RATES else 90
    for c in range(n_out if n_out <= MOST_COUNTED_CLASSES else 0):
        beside.text(0.5, c, percent(recall[c]), **_font(n_out))
        below.text(c, 0.5, percent(precision[c]), rotation=angle, **_font(n_out))


def _explanation(evaluation):
    """The reason why training printed another error than that of all examples."""
    n_counted = evaluation.n_in_minibatches
    n_left_out = len(evaluation.labels) - n_counted
    metadata = evaluation.metadata
    printed = f"Training printed a test error of {metadata['test_error'] * 100:f} %"
    if not n_left_out:
        return f"{printed}, of the same {n_counted:,} examples.\n"
    return (
        f"{printed}: there only full minibatches of {metadata['batch_size']:,} count, "
        f"the first {n_counted:,} examples.\nOf the {n_left_out:,} that are left out, "
        f"{(evaluation.mistakes >= n_counted).sum():,} are wrong.\n"
    )
