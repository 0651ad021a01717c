"""The mistakes of which a model was most sure."""

import numpy as np
from matplotlib.figure import Figure

from .panels import box_aspect, grid, show_image, style


@style()
def mistakes(images, labels, probabilities, n=15):
    """Draw the most confident wrong answers.

    Parameters
    ----------
    images : numpy.ndarray, ``(n_examples, n_in)``
    labels : numpy.ndarray of integers, ``(n_examples,)``
    probabilities : numpy.ndarray, ``(n_examples, n_out)``
    n : int
        The most to draw. Default 15.

    Returns
    -------
    matplotlib.figure.Figure
        In falling order of the probability of the prediction, in rows of five.
    """
    predictions = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:n]
    if not len(shown):
        figure = Figure(figsize=(6, 1.2))
        figure.text(
            0.5,
            0.5,
            f"No mistakes: all {len(labels):,} test examples are right",
            ha="center",
            va="center",
            fontsize=11,
        )
        return figure
    size = 1.7, 1.7 * box_aspect(images.shape[1]) + 0.35
    figure, panels = grid(len(shown), max(2, min(5, len(shown))), size, 0.4)
    lightest, darkest = images[shown].min(), images[shown].max()
    for i, panel in zip(shown, panels, strict=True):
        show_image(panel, images[i], cmap="gray_r", vmin=lightest, vmax=darkest)
        panel.set_title(
            f"label {labels[i]}, predicted {predictions[i]}\n"
            f"with {confidence[i] * 100:.1f} %"
        )
        panel.spines[:].set(visible=True, color="0.8")
    answers = "wrong answer" if len(wrong) == 1 else "wrong answers"
    most = f"The {len(shown)} most confident of " if len(shown) < len(wrong) else ""
    figure.suptitle(f"{most}{len(wrong):,} {answers}")
    return figure
