"""A made-up run, and what a reader of a picture sees: its pixels and words."""

import io

import numpy as np

from utils.report.evaluation import Evaluation

HISTORY = [
    (1, 9, 0.9, 0.5, 0.55, 1.0),
    (2, 19, 0.7, 0.3, 0.35, 2.0),
    (3, 29, 0.6, 0.4, 0.35, 3.0),
    (4, 39, 0.5, 0.2, 0.25, 4.0),
    (5, 49, 0.4, 0.2, 0.25, 5.0),
]
METADATA = {
    "dataset": "made-up",
    "trained_by": "minibatch SGD",
    "batch_size": 20,
    "epoch": 4,
    "validation_error": 0.2,
    "test_error": 0.25,
    "versions": {"numpy": "2.0.0"},
}


def pixels(figure):
    import matplotlib.image

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    file.seek(0)
    return matplotlib.image.imread(file, format="png")


def colours_at(figure, *places):
    """The colours in the picture at (panel, column, row) of the panels' data."""
    picture = pixels(figure)
    figure.set_dpi(100)
    for panel, column, row in places:
        x, y = panel.transData.transform((column, row))
        yield picture[len(picture) - 1 - round(y), round(x), :3]


def words(figure):
    import matplotlib.text

    return "\n".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def mistakes_by_hand(evaluation):
    """(probability, index, label, prediction) of each, the most confident first."""
    n = len(evaluation.labels)
    found = zip(
        evaluation.confidence,
        range(n),
        evaluation.labels,
        evaluation.predictions,
        strict=True,
    )
    return sorted((a for a in found if a[2] != a[3]), reverse=True)


def example(n_in=12, n_out=3, n=30, W=None, answers=None, **metadata):
    """A run's evaluation, made up but for its `W`, or its (label, prediction) pairs."""
    rng = np.random.default_rng(4)
    if W is not None:
        n_in, n_out = W.shape
    probabilities = rng.dirichlet(np.ones(n_out), n)
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    weights = rng.normal(size=(n_in, n_out)) if W is None else W
    images = rng.random((n, n_in))
    labels = rng.integers(0, n_out, n)
    if answers is not None:
        labels, predictions = np.transpose(answers)
        confidence, images = np.ones(len(labels)), images[: len(labels)]
    return Evaluation(
        W=weights,
        b=np.zeros(n_out),
        metadata=METADATA | {"n_in": n_in, "n_out": n_out} | metadata,
        history=HISTORY,
        images=images,
        labels=labels,
        predictions=predictions,
        confidence=confidence,
    )


def validations(costs, errors=(0.5, 0.25)):
    return list(zip((1, 2), (9, 19), costs, errors, errors, (1.0, 2.0), strict=True))


# Histories that a checkpoint can hold, also a stranger's.
NAN, INF = float("nan"), float("inf")
ODD_HISTORIES = {
    "before_training": [(0, -1, NAN, NAN, NAN, 0.0)],
    "huge": validations([1.7e308, -1.7e308]),
    "tiny": validations([5e-324, 5e-324]),
    "infinite": validations([INF, -INF], (INF, NAN)),
    "one": HISTORY[:1],
    "no_finite_cost": validations([NAN, NAN]),
    "many_in_an_epoch": [
        (1, i, 0.9 / (i + 1), 0.5 / (i + 1), 0.5, 1.0) for i in range(5000)
    ],
    "all_equal": [(i + 1, -1, 2.3, 0.0, 0.0, 1.0) for i in range(50)],
}
