"""The pad on which a person draws, and the numbers that it needs."""

import base64
import json
from html import escape
from pathlib import Path

import numpy as np

N_PIXELS = 28 * 28
MOST_CLASSES = 100


def pad(evaluation):
    """The pad, or why this model has none.

    Parameters
    ----------
    evaluation : utils.report.evaluation.Evaluation

    Returns
    -------
    html : str
    has_pad : bool
        Whether the page needs the script.
    """
    reason = _reason_against(evaluation)
    if reason:
        return f"<p>There is no pad to draw on: {escape(reason)}</p>", False
    page = (Path(__file__).parent / "pad.html").read_text(encoding="utf-8")
    # In a script element, `<` could begin its end tag, or a comment.
    return page.replace(
        "$data", json.dumps(_data(evaluation)).replace("<", "\\u003c")
    ), True


def _reason_against(evaluation):
    n_in, n_out = evaluation.W.shape
    if n_in != N_PIXELS:
        return (
            f"a drawing becomes 28 × 28 = {N_PIXELS} pixels, and this model expects "
            f"{n_in:,}. Train one on MNIST, and its page has a pad."
        )
    if n_out > MOST_CLASSES:
        return f"{n_out:,} classes do not fit beside it."
    if evaluation.images.min() < 0 or evaluation.images.max() > 1:
        return (
            "a drawing's pixels lie between 0 and 1, and those of this model's images "
            f"between {evaluation.images.min():.3g} and {evaluation.images.max():.3g}."
        )
    return None


def _data(evaluation):
    """Parameters, little endian, row by row; test images of each class as bytes.

    Of each class the first that is read rightly, or the first where none is.
    """
    bytes_ = np.clip(np.rint(evaluation.images * 256), 0, 255).astype("uint8")
    right = evaluation.probabilities.argmax(axis=1) == evaluation.labels
    samples = []
    for label in range(evaluation.W.shape[1]):
        examples = np.flatnonzero(evaluation.labels == label)
        if len(examples):
            first = examples[np.argmax(right[examples])]
            pixels = _base64(bytes_[first])
            samples.append({"label": label, "pixels": pixels})
    little = evaluation.W.dtype.newbyteorder("<")
    return {
        "n_in": N_PIXELS,
        "n_out": evaluation.W.shape[1],
        "dtype": str(evaluation.W.dtype),
        "W": _base64(evaluation.W.astype(little)),
        "b": _base64(evaluation.b.astype(little)),
        "samples": samples[:12],
    }


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
