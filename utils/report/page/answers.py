"""What a model answered to the test examples: a confusion table and its mistakes."""

import numpy as np

from utils.report.page.images import data_uri, grey, image_shape

MOST_CLASSES = 40
MOST_MISTAKES = 20

# Rates of confusion at which a cell of the table gets a stronger colour.
LEVELS = 0.005, 0.01, 0.02, 0.04, 0.08


def confusion(labels, probabilities):
    """How often each class is taken for each other.

    Parameters
    ----------
    labels : numpy.ndarray of integers, ``(n,)``
    probabilities : numpy.ndarray, ``(n, n_out)``

    Returns
    -------
    str
        HTML: a sentence and a table of counts.
    """
    n_out = probabilities.shape[1]
    counts = np.zeros((n_out, n_out), dtype=int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    totals = counts.sum(axis=1)
    sentence = f"<p>{_most_confused(counts, totals)}</p>"
    if n_out > MOST_CLASSES:
        return f"{sentence}<p>A table of {n_out:,} classes would not be readable.</p>"
    head = "".join(f'<th scope="col">{c}</th>' for c in range(n_out))
    rows = "".join(
        f'<tr><th scope="row">{label}</th>'
        + "".join(_cell(counts, totals, label, c) for c in range(n_out))
        + f"<td>{_rate(counts[label, label], totals[label])}</td></tr>\n"
        for label in range(n_out)
    )
    return (
        f'{sentence}\n<div class="scroll" tabindex="0" role="region" '
        'aria-label="Confusion table"><table class="confusion">'
        "<caption>Rows are the true classes, columns what the model reads.</caption>"
        f"<thead><tr><td></td>{head}"
        '<th scope="col">right, %</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _most_confused(counts, totals):
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "Every test example is read rightly."
    rates = wrong / np.maximum(totals, 1)[:, None]
    label, read = np.unravel_index(rates.argmax(), rates.shape)
    return (
        f"The commonest mistake: a {label} is read as {read}, "
        f"{wrong[label, read]:,} of {totals[label]:,} times."
    )


def _cell(counts, totals, label, read):
    count = counts[label, read]
    if label == read:
        return f'<td class="right">{count}</td>'
    level = np.searchsorted(LEVELS, count / max(totals[label], 1), side="right")
    return f'<td class="wrong{level}">{count or "·"}</td>'


def _rate(count, total):
    return f"{count / total * 100:.1f}" if total else "–"


def mistakes(images, labels, probabilities):
    """The mistakes of which the model was most sure.

    Parameters
    ----------
    images : numpy.ndarray, ``(n, n_in)``
    labels : numpy.ndarray of integers, ``(n,)``
    probabilities : numpy.ndarray, ``(n, n_out)``

    Returns
    -------
    str
        HTML: a list of pictures, the most confident first.
    """
    read, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(read != labels)
    if not len(wrong):
        return "<p>There are none.</p>"
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_MISTAKES]
    limits = images[shown].min(), images[shown].max()
    shape = image_shape(images.shape[1])
    items = "".join(
        f'<li><figure><img src="{data_uri(grey(images[i].reshape(shape), *limits))}" '
        f'width="{shape[1]}" height="{shape[0]}" alt="Test example {i}">'
        f"<figcaption><b>{labels[i]}</b> read as <b>{read[i]}</b>"
        f"<small>with {confidence[i] * 100:.1f} %</small></figcaption></figure></li>"
        for i in shown
    )
    return (
        f"<p>The {len(shown)} wrong answers, of {len(wrong):,}, that the model is most "
        f'sure of.</p><ul class="mistakes">{items}</ul>'
    )
