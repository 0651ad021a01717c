"""A model's answers to the test examples: a confusion table and its mistakes."""

import numpy as np

from utils.report.evaluation import MOST_COUNTED_CLASSES, image_shape
from utils.report.page.images import data_uri, grey

MOST_MISTAKES = 20

# Rates of confusion at which a cell of the table gets a stronger colour.
LEVELS = 0.005, 0.01, 0.02, 0.04, 0.08


def confusion(evaluation):
    """A sentence on the commonest mistake, and the table of all counts."""
    n_out = len(evaluation.counts)
    sentence = f"<p>{_commonest(evaluation)}</p>"
    if n_out > MOST_COUNTED_CLASSES:
        return f"{sentence}<p>A table of {n_out:,} classes would not be readable.</p>"
    head = "".join(f'<th scope="col">{c}</th>' for c in range(n_out))
    levels = np.searchsorted(LEVELS, evaluation.wrong_rates, side="right")
    rows = ""
    for label, counts in enumerate(evaluation.counts):
        cells = [
            f'<td class="wrong{level}">{count or "·"}</td>'
            for level, count in zip(levels[label], counts, strict=True)
        ]
        cells[label] = f'<td class="right">{counts[label]}</td>'
        right = f"{evaluation.rates[label, label] * 100:.1f}"
        rows += (
            f'<tr><th scope="row">{label}</th>{"".join(cells)}'
            f"<td>{right if counts.any() else '–'}</td></tr>\n"
        )
    return (
        f'{sentence}\n<div class="scroll" tabindex="0" role="region" '
        'aria-label="Confusion table"><table class="confusion">'
        "<caption>Rows are the true classes, columns the predictions.</caption>"
        f"<thead><tr><td></td>{head}"
        '<th scope="col">correct, %</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _commonest(evaluation):
    if evaluation.commonest_confusion is None:
        return "Every test example is classified correctly."
    label, prediction = evaluation.commonest_confusion
    return (
        f"The commonest mistake: {label} is read as {prediction}, "
        f"{evaluation.counts[label, prediction]:,} of {evaluation.totals[label]:,} "
        "times."
    )


def mistakes(evaluation):
    """A list of pictures, the mistakes of which the model was most confident."""
    wrong = evaluation.mistakes
    if not len(wrong):
        return "<p>There are none.</p>"
    shown = wrong[:MOST_MISTAKES]
    height, width = image_shape(evaluation.images.shape[1])
    pictures = grey(evaluation.scaled(shown)).reshape(-1, height, width)
    items = "".join(
        f'<li><figure><img src="{data_uri(picture)}" width="{width}" '
        f'height="{height}" alt="Test example {i}"><figcaption>'
        f"<b>{evaluation.labels[i]}</b> read as <b>{evaluation.predictions[i]}</b>"
        f"<small>with {evaluation.confidence[i] * 100:.1f} %</small>"
        "</figcaption></figure></li>"
        for i, picture in zip(shown, pictures, strict=True)
    )
    return (
        f"<p>The {len(shown)} wrong answers, of {len(wrong):,}, of which the model is "
        f'most confident.</p><ul class="mistakes">{items}</ul>'
    )
