"""The confusion table: how a model answered the test examples of each class."""

import numpy as np

from utils.report.evaluation import MOST_COUNTED_CLASSES, percent

# Rates of confusion at which a cell of the table gets a stronger colour.
LEVELS = 0.005, 0.01, 0.02, 0.04, 0.08


def confusion(evaluation):
    """A sentence on the commonest mistake, and the tables of counts and of rates."""
    if evaluation.commonest_confusion is None:
        sentence = "<p>Every test example is classified correctly.</p>"
    else:
        label, prediction = evaluation.commonest_confusion
        read = evaluation.predictions[evaluation.labels == label]
        sentence = (
            f"<p>The commonest mistake: {label} is read as {prediction}, "
            f"{(read == prediction).sum():,} of "
            f"{evaluation.totals[label]:,} times.</p>"
        )
    if evaluation.n_out > MOST_COUNTED_CLASSES:
        counts = (
            f"<p>The confusion table of {evaluation.n_out:,} classes would not be "
            "readable.</p>"
        )
    else:
        counts = _counts(evaluation)
    rates = "" if evaluation.no_confusion else _rates(evaluation)
    return f'{sentence}\n<div class="tables">{counts}{rates}</div>'


def _counts(evaluation):
    head = "".join(f'<th scope="col">{c}</th>' for c in range(evaluation.n_out))
    levels = np.searchsorted(LEVELS, evaluation.wrong_rates, side="right")
    rows = ""
    for label, counts in enumerate(evaluation.counts):
        cells = [
            f'<td class="wrong{level}">{count or "·"}</td>'
            for level, count in zip(levels[label], counts, strict=True)
        ]
        cells[label] = f'<td class="right">{counts[label]}</td>'
        rows += f'<tr><th scope="row">{label}</th>{"".join(cells)}</tr>\n'
    return _table(
        "confusion",
        "Confusion table",
        "Rows are the true classes, columns the predictions.",
        f"<td></td>{head}",
        rows,
    )


def _rates(evaluation):
    rows = ""
    for label, shares in enumerate(
        zip(evaluation.precision, evaluation.recall, strict=True)
    ):
        cells = "".join(f"<td>{percent(share)}</td>" for share in shares)
        rows += f'<tr><th scope="row">{label}</th>{cells}</tr>\n'
    names = "".join(f'<th scope="col">{n}, %</th>' for n in ("precision", "recall"))
    return _table(
        "rates",
        "Precision and recall",
        "Precision: of the answers with this class, those that are right. Recall: of "
        "its examples, those that are found.",
        f"<td></td>{names}",
        rows,
    )


def _table(name, label, caption, head, rows):
    """A table that scrolls by itself where the page has no room for it."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="{name}"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )
