"""The numbers that the figures and the page of a run show, each computed here once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor
from scipy.special import softmax

from utils import backends, datasets
from utils.errors import ModelFileError
from utils.report.learning_curves import LearningCurves
from utils.text import shown
from utils.training import TrainingResult, model_file
from utils.training.class_names import class_names

# Test images that become floats at a time, and probabilities: a mapped split may be
# larger than memory, and so may those of many classes.
CHUNK, MOST_PROBABILITIES = 4096, 2**22

# More pictures of weights than this are too small to be read, and of so many pixels in
# all too large. A table or a matrix of more classes has no room for its numbers, and
# one of many more has none for its cells.
MOST_TEMPLATES, MOST_TEMPLATE_PIXELS = 100, 2**22
MOST_COUNTED_CLASSES, MOST_CONFUSION_CLASSES = 40, 1000


@dataclass(frozen=True)
class Evaluation:
    """A run's saved model, and its answers to all test examples.

    Attributes
    ----------
    W, b : numpy.ndarray, ``(n_in, n_out)`` and ``(n_out,)``
        Parameters of a LogisticRegression, of its floatX; None for other classes.
    metadata : dict
        The model file's description of the run; see `utils.training.model_file`.
    history : list of tuple
        As ``TrainingState.history``; at least one.
    images : numpy.ndarray, ``(n, n_in)``
        All test images, those past the last full minibatch among them, as the dataset
        holds them: floats, or uint8 that stand for ``byte / 256``. See `scaled`.
    labels : numpy.ndarray of int32, ``(n,)``
        Their classes.
    predictions : numpy.ndarray of int64, ``(n,)``
        The most probable class of each example.
    confidence : numpy.ndarray, ``(n,)``
        The probability of each prediction; floatX.
    model_class : str
        The name of the model's class.
    """

    W: np.ndarray | None
    b: np.ndarray | None
    metadata: dict
    history: list
    images: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray
    model_class: str = "LogisticRegression"

    @property
    def n_out(self):
        """The number of classes."""
        return self.metadata["n_out"]

    @cached_property
    def class_names(self):
        """Names of the classes, or their numbers; see `training.class_names`."""
        return class_names(self.metadata)

    @property
    def has_class_names(self):
        """True where the dataset has words for its classes."""
        return not isinstance(self.class_names, range)

    @cached_property
    def mistakes(self):
        """Indices of the wrongly classified examples, the most confident first."""
        wrong = np.flatnonzero(self.predictions != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    @cached_property
    def counts(self):
        """Examples of each class (row) with each prediction (column).

        A matrix of all classes: unless `no_confusion` says that there is none.
        """
        n_out = self.n_out
        pairs = self.labels.astype(np.int64) * n_out + self.predictions
        return np.bincount(pairs, minlength=n_out**2).reshape(n_out, n_out)

    @cached_property
    def totals(self):
        """Examples of each class: integers, ``(n_out,)``."""
        return np.bincount(self.labels, minlength=self.n_out)

    @cached_property
    def rates(self):
        """`counts` as shares of their rows, ``(n_out, n_out)``; 0 without examples."""
        return self.counts / np.maximum(self.totals, 1)[:, None]

    @cached_property
    def wrong_rates(self):
        """`rates` with zeros on the diagonal, where the right answers are."""
        return np.where(np.eye(len(self.rates), dtype=bool), 0, self.rates)

    @cached_property
    def recall(self):
        """Share of each class's examples that are right, ``(n_out,)``; NaN of none."""
        return self._share_right(self.totals)

    @cached_property
    def precision(self):
        """Share of the answers with each class that are right; NaN of none."""
        return self._share_right(np.bincount(self.predictions, minlength=self.n_out))

    def _share_right(self, totals):
        right = self.labels[self.predictions == self.labels]
        with np.errstate(invalid="ignore"):
            return np.bincount(right, minlength=self.n_out) / totals

    @cached_property
    def commonest_confusion(self):
        """Label and prediction of the highest wrong rate; None without mistakes."""
        wrong = self.mistakes
        if not len(wrong):
            return None
        pairs = np.stack([self.labels[wrong], self.predictions[wrong]])
        pairs, counts = np.unique(pairs, axis=1, return_counts=True)
        label, prediction = pairs[:, (counts / self.totals[pairs[0]]).argmax()]
        return label, prediction

    @property
    def n_in_minibatches(self):
        """Test examples in full minibatches, of which training prints the error."""
        batch_size = self.metadata["batch_size"]
        return len(self.labels) // batch_size * batch_size

    @property
    def no_templates(self):
        """The reason why the weights have no pictures; None where they have."""
        if self.W is None:
            return (
                "only a LogisticRegression has weights for each class that are as many "
                f"as the pixels, and this model is {self.model_class}."
            )
        return None

    @property
    def n_templates(self):
        """Classes whose weights are shown, the first of all."""
        n_in, n_out = self.W.shape
        return min(n_out, MOST_TEMPLATES, max(1, MOST_TEMPLATE_PIXELS // n_in))

    @property
    def no_confusion(self):
        """The reason why there is no confusion matrix; None where there is one."""
        if self.n_out > MOST_CONFUSION_CLASSES:
            return f"a matrix of {self.n_out:,} classes would not be readable."
        return None

    @property
    def weight_scale(self):
        """The largest magnitude of a weight, where the scale of colours ends."""
        return float(max(self.W.max(), -self.W.min())) or 1.0

    @cached_property
    def curves(self):
        """The numbers of the run's `LearningCurves`."""
        return LearningCurves(self.history, self.metadata)

    def scaled(self, indices):
        """Some test images as the model takes them, of its floatX."""
        return _scaled(self.images[indices], self.confidence.dtype)


def evaluate(result: TrainingResult, load_model: Callable | None = None) -> Evaluation:
    """Ask the model that a run saved about all test examples: an `Evaluation`.

    Parameters
    ----------
    result : utils.training.TrainingResult
        Its `model` and `dataset` are read again.
    load_model : callable, optional
        Returns the model of a path, with symbolic `input` and `p_y_given_x`; asked for
        models that are no LogisticRegression.

    Raises
    ------
    utils.training.model_file.ModelFileError
        If the run saved no model, or the file is not that of its dataset.
    utils.datasets.DatasetError
        If the dataset is gone.
    """
    if not result.best_epoch:
        raise ModelFileError(
            f"{result.model}: the run ended before its first validation, and saved no "
            "model that could be shown: look at the cost of its minibatches."
        )
    model = model_file.read(result.model)
    metadata, W, b = (model.get(name) for name in ("metadata", "W", "b"))
    # Bytes where they can be had: of a mapped split only those in use are in memory.
    images, labels = datasets.load(result.dataset, dtype="uint8")[2]
    if images.shape[1] != metadata["n_in"]:
        raise ModelFileError(
            f"{result.model}: expected the model of this run, for images of shape (n, "
            f"{images.shape[1]}), found one for (n, {metadata['n_in']}): let no other "
            "run write the same file (--model)."
        )
    if W is not None:
        # Compiling it would take longer than computing it.
        def probabilities_of(x):
            return softmax(x @ W + b, axis=1)
    else:
        assert load_model is not None, "a model of your own class needs load_model"
        classifier, mode = load_model(result.model), backends.compilation_mode()
        probabilities_of = pytensor.function(
            [classifier.input], classifier.p_y_given_x, mode=mode
        )
    floatX = np.dtype(metadata["floatX"])
    predictions = np.empty(len(images), np.int64)
    confidence = np.empty(len(images), floatX)
    rows = max(1, min(CHUNK, MOST_PROBABILITIES // metadata["n_out"]))
    with np.errstate(over="ignore", invalid="ignore"):  # those are refused below
        for start in range(0, len(images), rows):
            chunk = slice(start, start + rows)
            probabilities = probabilities_of(_scaled(images[chunk], floatX))
            predictions[chunk] = probabilities.argmax(axis=1)
            confidence[chunk] = probabilities.max(axis=1)
    model_file.check_answers(confidence, result.model)
    parts = W, b, metadata, result.history, images, labels, predictions, confidence
    return Evaluation(*parts, shown(model.get("class", "LogisticRegression")))


def percent(share):
    """Write a share of 1 in per cent, ``"97.8"``; a dash for NaN, a share of none."""
    return "–" if np.isnan(share) else f"{share * 100:.1f}"


def image_shape(n_in):
    """Height and width at which to draw `n_in` pixels whose shape is not known.

    A model knows only how many pixels it takes. Of the rectangles of so many pixels
    that are at least as wide as high, this is the one nearest to a square: 784 is 28 x
    28, 12 is 3 x 4, and a prime number is a strip of one row.
    """
    height = next(h for h in range(math.isqrt(n_in), 0, -1) if n_in % h == 0)
    return height, n_in // height


def _scaled(images, floatX):
    scale = 256 if images.dtype == np.uint8 else 1
    return np.divide(images, floatX.type(scale), dtype=floatX)
