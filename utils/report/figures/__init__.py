"""Pictures of a trained model and of how it was trained, drawn with matplotlib.

Each function takes an `Evaluation`, or its curves, and returns a matplotlib figure.
"""

import io
import os

from utils.files import write_atomic

from .confusion import confusion
from .curves import learning_curve
from .images import mistakes, weights
from .style import style

__all__ = ["confusion", "draw", "learning_curve", "mistakes", "save", "weights"]


def draw(evaluation):
    """All pictures of a run, by their names."""
    figures = {} if evaluation.no_templates else {"weights": weights(evaluation)}
    figures["learning_curve"] = learning_curve(evaluation.curves)
    if not evaluation.no_confusion:
        figures["confusion"] = confusion(evaluation)
    return figures | {"mistakes": mistakes(evaluation)}


@style()
def save(evaluation, folder):
    """Write all pictures of a run into a folder, as PNG and SVG; return their paths."""
    paths = []
    for name, figure in draw(evaluation).items():
        for kind, metadata in (("png", None), ("svg", {"Date": None})):
            file = io.BytesIO()
            figure.savefig(file, metadata=metadata, format=kind)
            paths.append(os.path.join(folder, f"{name}.{kind}"))
            write_atomic(paths[-1], file.getvalue())
    return paths
