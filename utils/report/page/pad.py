"""The pad to draw on, and the numbers that it needs."""

import base64
import json
from html import escape
from pathlib import Path

import numpy as np

N_PIXELS = 28 * 28
MOST_CLASSES, MOST_SAMPLES = 100, 12


def pad(evaluation):
    """The pad, or why this model has none; and whether it needs the script."""
    reason = _reason_against(evaluation)
    if reason:
        return f"<p>There is no pad to draw on: {escape(reason)}</p>", False
    page = (Path(__file__).parent / "pad.html").read_text(encoding="utf-8")
    # In a script element, `<` could begin its end tag, or a comment.
    data = json.dumps(_data(evaluation)).replace("<", "\\u003c")
    return page.replace("$data", data), True


def _reason_against(evaluation):
    if evaluation.W is None:
        return f"it asks a LogisticRegression, this is {evaluation.model_class}."
    n_in, n_out = evaluation.W.shape
    if n_in != N_PIXELS:
        return (
            f"a drawing becomes 28 × 28 = {N_PIXELS} pixels, and this model expects "
            f"{n_in:,}. Train one on MNIST, and its page has a pad."
        )
    if n_out > MOST_CLASSES:
        return f"{n_out:,} classes do not fit beside it."
    if evaluation.images.dtype != np.uint8:
        lowest, highest = evaluation.images.min(), evaluation.images.max()
        if lowest < 0 or highest > 1:
            return (
                "a drawing's pixels lie between 0 and 1, and those of this model's "
                f"images between {lowest:.3g} and {highest:.3g}."
            )
    return None


def _data(evaluation):
    """Parameters, little endian, row by row; a test image of most classes as bytes.

    It is the first of its class that is classified correctly, or the first of all if
    none is.
    """
    correct = evaluation.predictions == evaluation.labels
    samples = []
    for label in np.flatnonzero(evaluation.totals)[:MOST_SAMPLES].tolist():
        examples = np.flatnonzero(evaluation.labels == label)
        pixels = evaluation.scaled(examples[np.argmax(correct[examples])])
        bytes_ = np.clip(np.rint(pixels * 256), 0, 255).astype("uint8")
        samples.append({"label": label, "pixels": _base64(bytes_)})
    return {
        "n_in": N_PIXELS,
        "n_out": evaluation.W.shape[1],
        "dtype": str(evaluation.W.dtype),
        "W": _base64(evaluation.W),
        "b": _base64(evaluation.b),
        "samples": samples,
    }


def _base64(array):
    little = array.astype(array.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()
