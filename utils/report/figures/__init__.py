"""Pictures of a trained model and of how it was trained, drawn with matplotlib."""

import io
import os

from utils.files import write_atomic

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


def draw(evaluation):
    """All pictures of a run.

    Parameters
    ----------
    evaluation : utils.report.evaluation.Evaluation

    Returns
    -------
    dict of str to matplotlib.figure.Figure
    """
    metadata = evaluation.metadata
    trained_by = metadata.get("trained_by", "minibatch SGD")
    return {
        "weights": weights(evaluation.W),
        "learning_curve": learning_curve(evaluation.history, trained_by),
        "confusion": confusion(
            evaluation.labels, evaluation.probabilities, metadata=metadata
        ),
        "mistakes": mistakes(
            evaluation.images, evaluation.labels, evaluation.probabilities
        ),
    }


@style()
def save(evaluation, folder):
    """Write all pictures of a run, each as PNG and as SVG.

    Parameters
    ----------
    evaluation : utils.report.evaluation.Evaluation
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
    for name, figure in draw(evaluation).items():
        for kind in ("png", "svg"):
            file = io.BytesIO()
            figure.savefig(
                file, metadata={"Date": None} if kind == "svg" else None, format=kind
            )
            paths.append(os.path.join(folder, f"{name}.{kind}"))
            write_atomic(paths[-1], file.getvalue())
    return paths
