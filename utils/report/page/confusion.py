"""The confusion table: how a model answered the test examples of each class."""

import numpy as np

from utils.report.evaluation import MOST_COUNTED_CLASSES

# Rates of confusion at which a cell of the table gets a stronger colour.
LEVELS = 0.005, 0.01, 0.02, 0.04, 0.08


def confusion(evaluation):
    """A sentence on the commonest mistake, and the table of all counts."""
    n_out, names = evaluation.n_out, evaluation.class_names
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
    if n_out > MOST_COUNTED_CLASSES:
        return f"{sentence}<p>A table of {n_out:,} classes would not be readable.</p>"
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    sideways = "" if isinstance(names, range) else ' class="words"'
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
            f'<tr><th scope="row">{names[label]}</th>{"".join(cells)}'
            f"<td>{right if counts.any() else '–'}</td></tr>\n"
        )
    return (
        f'{sentence}\n<div class="scroll" tabindex="0" role="region" '
        'aria-label="Confusion table"><table class="confusion">'
        "<caption>Rows are the true classes, columns the predictions.</caption>"
        f"<thead{sideways}><tr><td></td>{head}"
        '<th scope="col">correct, %</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )
