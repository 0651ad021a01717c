"""The pad to draw on, and the numbers that it needs."""

import base64
import dataclasses
import json
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from utils.digit_image.fitting import DIGITS, FASHION_MNIST, MNIST, frame_of

HOW = {
    MNIST: "20 pixels long, with its centre of mass in the middle.",
    DIGITS: "set upright, 8 pixels high and 5 wide, in the middle. That is little to "
    "go by: of MNIST's digits drawn large, three in four are classified correctly.",
    FASHION_MNIST: "28 pixels long, in the middle. Those were photographs: fill the "
    "shape that you draw.",
}
MOST_CLASSES, MOST_SAMPLES = 100, 12


def pad(evaluation):
    """The pad, or why this model has none; and whether it needs the script."""
    reason = _reason_against(evaluation)
    if reason:
        return f"<p>There is no pad to draw on: {escape(reason)}</p>", False
    page = Template((Path(__file__).parent / "pad.html").read_text(encoding="utf-8"))
    frame = _frame(evaluation)
    # In a script element, `<` could begin its end tag, or a comment.
    data = json.dumps(_data(evaluation, frame)).replace("<", "\\u003c")
    subject = subject_of(evaluation)
    words = {"side": frame.side, "how": HOW[frame], "subject": subject}
    return page.substitute(words, data=data), True


def subject_of(evaluation):
    """What one is to draw: a class that has a name is no digit."""
    return "an example" if evaluation.has_class_names else "a digit"


def _frame(evaluation):
    metadata = evaluation.metadata
    return frame_of(evaluation.W.shape[0], metadata["dataset"])


def _reason_against(evaluation):
    if evaluation.W is None:
        return f"it asks a LogisticRegression, this is {evaluation.model_class}."
    n_in, n_out = evaluation.W.shape
    if _frame(evaluation) is None:
        return (
            "a drawing becomes 28 × 28 = 784 or 8 × 8 = 64 pixels, and this model "
            f"expects {n_in:,}. Train one on MNIST, and its page has a pad."
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


def _data(evaluation, frame):
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
        label = str(evaluation.class_names[label])
        samples.append({"label": label, "pixels": _base64(bytes_)})
    return {
        "n_in": evaluation.W.shape[0],
        "frame": dataclasses.asdict(frame),
        "n_out": evaluation.W.shape[1],
        "names": [str(name) for name in evaluation.class_names],
        "dtype": str(evaluation.W.dtype),
        "W": _base64(evaluation.W),
        "b": _base64(evaluation.b),
        "samples": samples,
    }


def _base64(array):
    little = array.astype(array.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()
