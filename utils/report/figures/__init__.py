"""Pictures of a trained model and of how it was trained, drawn with matplotlib.

Each function takes an `Evaluation`, or its curves, and returns a matplotlib figure.
"""

import io
import os

from matplotlib.figure import Figure

from utils.files import write_atomic
from utils.report.evaluation import Evaluation

from .confusion import confusion
from .curves import learning_curve
from .images import mistakes, weights
from .style import style

PICTURES = {
    "weights": weights,
    "learning_curve": lambda evaluation: learning_curve(evaluation.curves),
    "confusion": confusion,
    "mistakes": mistakes,
}
FILES = [f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")]


def draw(evaluation: Evaluation) -> dict[str, Figure]:
    """All pictures of a run, by their names."""
    without = {"weights": evaluation.no_templates, "confusion": evaluation.no_confusion}
    names = [name for name in PICTURES if not without.get(name)]
    return {name: PICTURES[name](evaluation) for name in names}


@style()
def save(evaluation: Evaluation, folder: str | os.PathLike) -> list[str]:
    """Write all pictures of a run into a folder, as PNG and SVG; return their paths."""
    paths = []
    for name, figure in draw(evaluation).items():
        for kind, metadata in (("png", None), ("svg", {"Date": None})):
            file = io.BytesIO()
            figure.savefig(file, metadata=metadata, format=kind)
            paths.append(os.path.join(folder, f"{name}.{kind}"))
            write_atomic(paths[-1], file.getvalue())
    return paths
