"""Pictures of a trained model and of how it was trained, drawn with matplotlib."""

import io
import os

from utils.files import write_whole

from .counts import confusion
from .curves import learning_curve
from .panels import image_shape, style
from .templates import weights
from .wrong_answers import mistakes

__all__ = [
    "confusion",
    "draw",
    "image_shape",
    "learning_curve",
    "mistakes",
    "save",
    "weights",
]


def draw(outcome):
    """All pictures of a run.

    Parameters
    ----------
    outcome : utils.outcome.Outcome

    Returns
    -------
    dict of str to matplotlib.figure.Figure
    """
    metadata = outcome.metadata
    trained_by = metadata.get("trained_by", "minibatch SGD")
    return {
        "weights": weights(outcome.W),
        "learning_curve": learning_curve(outcome.history, trained_by),
        "confusion": confusion(
            outcome.labels, outcome.probabilities, metadata=metadata
        ),
        "mistakes": mistakes(outcome.images, outcome.labels, outcome.probabilities),
    }


@style()
def save(outcome, folder):
    """Write all pictures of a run, each as PNG and as SVG.

    Parameters
    ----------
    outcome : utils.outcome.Outcome
    folder : str or os.PathLike
        An existing one.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    utils.files.WriteError
    """
    paths = []
    for name, figure in draw(outcome).items():
        for kind in ("png", "svg"):
            file = io.BytesIO()
            figure.savefig(
                file, metadata={"Date": None} if kind == "svg" else None, format=kind
            )
            paths.append(os.path.join(folder, f"{name}.{kind}"))
            write_whole(paths[-1], file.getvalue())
    return paths
