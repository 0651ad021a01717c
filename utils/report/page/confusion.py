"""The confusion table: how a model answered the test examples of each class."""

import numpy as np

from utils.report.evaluation import MOST_COUNTED_CLASSES, percent

# Rates of confusion at which a cell of the table gets a stronger colour.
LEVELS = 0.005, 0.01, 0.02, 0.04, 0.08


def confusion(evaluation):
    """A sentence on the commonest mistake, and the tables of counts and of rates."""
    names = evaluation.class_names
    if evaluation.commonest_confusion is None:
        sentence = "<p>Every test example is classified correctly.</p>"
    else:
        label, prediction = evaluation.commonest_confusion
        read = evaluation.predictions[evaluation.labels == label]
        sentence = (
            f"<p>The commonest mistake: {names[label]} is read as "
            f"{names[prediction]}, {(read == prediction).sum():,} of "
            f"{evaluation.totals[label]:,} times.</p>"
        )
    if evaluation.n_out > MOST_COUNTED_CLASSES:
        name = f"confusion table of {evaluation.n_out:,} classes"
        counts = f"<p>The {name} would not be readable.</p>"
    else:
        counts = _counts(evaluation)
    rates = "" if evaluation.no_confusion else _rates(evaluation)
    return f'{sentence}\n<div class="tables">{counts}{rates}</div>'


def _counts(evaluation):
    levels = np.searchsorted(LEVELS, evaluation.wrong_rates, side="right")
    rows = [
        [
            f'<td class="wrong{level}">{n or "·"}</td>'
            for level, n in zip(*row, strict=True)
        ]
        for row in zip(levels, evaluation.counts, strict=True)
    ]
    for label, row in enumerate(rows):
        row[label] = f'<td class="right">{evaluation.counts[label, label]}</td>'
    caption = "Rows are the true classes, columns the predictions."
    names = evaluation.class_names
    words = ' class="words"' if evaluation.has_class_names else ""
    named = zip(names, rows, strict=True)
    return _table("confusion", "Confusion table", caption, names, named, words)


def _rates(evaluation):
    shares = zip(evaluation.precision, evaluation.recall, strict=True)
    rows = [[f"<td>{percent(share)}</td>" for share in pair] for pair in shares]
    caption = (
        "Precision: of the answers with this class, those that are right. Recall: of "
        "its examples, those that are found."
    )
    columns = "precision, %", "recall, %"
    named = zip(evaluation.class_names, rows, strict=True)
    return _table("rates", "Precision and recall", caption, columns, named)


def _table(name, label, caption, columns, rows, words=""):
    """A table with a row for each class; it scrolls where the page has no room."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "\n".join(
        f'<tr><th scope="row">{c}</th>{"".join(cells)}</tr>' for c, cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="{name}"><caption>{caption}</caption>'
        f"<thead{words}><tr><td></td>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
        "</div>"
    )
