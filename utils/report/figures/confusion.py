"""The confusion matrix: how a model answered the test examples of each class."""

import numpy as np
from matplotlib.figure import Figure

from utils.report.evaluation import MOST_COUNTED_CLASSES

from .style import style

# Up to so many classes a cell has room for a rate below its count.
MOST_WITH_RATES = 12


@style()
def confusion(evaluation):
    """Draw how many test examples of each class were given each prediction.

    The title is the error over all of them; below it, why training printed another one.
    """
    rates, wrong_rates = evaluation.rates, evaluation.wrong_rates
    n_out = len(rates)
    side = min(max(4.5, 1.6 + 0.58 * n_out), 9)
    figure = Figure(figsize=(max(side, 7), side + 0.6), layout="constrained")
    axes = figure.subplots()
    # Mistakes have a scale of their own: beside the right answers they would all be
    # as pale as none.
    right = np.eye(n_out, dtype=bool)
    blue, orange = np.ma.masked_where(~right, rates), np.ma.masked_where(right, rates)
    images = [
        axes.imshow(blue, cmap="Blues", vmin=0, vmax=1.3),
        axes.imshow(orange, cmap="Oranges", vmin=0, vmax=wrong_rates.max() or 1),
    ]
    if n_out <= MOST_COUNTED_CLASSES:
        _write_counts(axes, evaluation.counts, rates, images)
        names = evaluation.class_names
        aslant = {} if isinstance(names, range) else {"rotation": 30, "ha": "right"}
        axes.set_xticks(range(n_out), names, **aslant)
        axes.set_yticks(range(n_out), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="prediction", ylabel="label")
    n, n_wrong = len(evaluation.labels), len(evaluation.mistakes)
    figure.suptitle(
        f"{n_wrong:,} of all {n:,} test examples are wrong: {n_wrong / n * 100:.2f} %"
    )
    axes.set_title(
        f"{_explanation(evaluation)}Blue: right. Orange: wrong, darker for a larger "
        "share of its row (the label).",
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
            ha="center",
            va="center",
            fontsize=8.5 if with_rates else 6.5,
            color="white" if image.norm(rates[row, column]) > 0.6 else "black",
        )


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
