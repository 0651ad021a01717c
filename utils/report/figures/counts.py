"""Which class was taken for which: the confusion matrix."""

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .panels import style

# Up to so many classes a cell has room for a count and a rate, or for a count.
MOST_WITH_RATES, MOST_WITH_COUNTS = 12, 40


@style()
def confusion(labels, predictions, n_out=None, metadata=None):
    """Draw how many examples of each class were given each prediction.

    Parameters
    ----------
    labels : numpy.ndarray of integers, ``(n,)``
    predictions : numpy.ndarray
        Classes ``(n,)``, or their probabilities ``(n, n_out)``.
    n_out : int, optional
        Number of classes; of probabilities it is known.
    metadata : dict, optional
        The model's. Its `test_error` and `batch_size` serve to explain in which way the
        error of all examples differs from that of the full minibatches.

    Returns
    -------
    matplotlib.figure.Figure
        Counts, rates of each row, and the error over all examples as title.
    """
    if predictions.ndim == 2:
        n_out, predictions = predictions.shape[1], predictions.argmax(axis=1)
    n_out = n_out or int(max(labels.max(), predictions.max())) + 1
    counts = np.zeros((n_out, n_out), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    # A class without an example has rates of 0.
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(n_out, dtype=bool), 0, rates)

    side = min(max(4.5, 1.6 + 0.58 * n_out), 9)
    figure = Figure(figsize=(max(side, 7), side + 0.6), layout="constrained")
    axes = figure.subplots()
    # Mistakes have a scale of their own: beside the right answers they would all be
    # as pale as none.
    images = [
        axes.imshow(np.ma.masked_where(hidden, rates), cmap=cmap, norm=norm)
        for hidden, cmap, norm in [
            (~np.eye(n_out, dtype=bool), "Blues", Normalize(0, 1.3)),
            (np.eye(n_out, dtype=bool), "Oranges", Normalize(0, mistakes.max() or 1)),
        ]
    ]
    if n_out <= MOST_WITH_COUNTS:
        _write_counts(axes, counts, rates, images)
        axes.set_xticks(range(n_out))
        axes.set_yticks(range(n_out))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    n_wrong = int((predictions != labels).sum())
    figure.suptitle(
        f"{n_wrong:,} of all {len(labels):,} test examples are wrong: "
        f"{n_wrong / len(labels):.2%}".replace("%", " %")
    )
    notes = [_explanation(labels, predictions, metadata or {})]
    notes.append(
        "Blue: right. Orange: wrong, darker for a larger share of its row (the label)."
    )
    axes.set_title("\n".join(filter(None, notes)), fontsize=8, color="0.3")
    return figure


def _write_counts(axes, counts, rates, images):
    with_rates = len(counts) <= MOST_WITH_RATES
    size = 8.5 if with_rates else 6.5
    for row, column in zip(*np.nonzero(counts), strict=True):
        image = images[0 if row == column else 1]
        red, green, blue, _ = image.cmap(image.norm(rates[row, column]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        text = f"{counts[row, column]:,}"
        if with_rates:
            text += f"\n{rates[row, column] * 100:.1f} %"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else "black",
        )


def _explanation(labels, predictions, metadata):
    """Why training printed another error than that of all examples."""
    test_error, batch_size = metadata.get("test_error"), metadata.get("batch_size")
    if test_error is None or batch_size is None:
        return ""
    n_counted = len(labels) // batch_size * batch_size
    left_out = labels[n_counted:] != predictions[n_counted:]
    printed = f"Training printed a test error of {test_error * 100:f} %"
    if not len(left_out):
        return f"{printed}, of the same {n_counted:,} examples."
    return (
        f"{printed}: there only full minibatches of {batch_size:,} count, the first "
        f"{n_counted:,} examples.\nOf the {len(left_out):,} that are left out, "
        f"{int(left_out.sum()):,} are wrong."
    )
