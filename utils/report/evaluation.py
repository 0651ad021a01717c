"""What there is to show of a training run: its best model, and what it says."""

from dataclasses import dataclass

import numpy as np
import pytensor

from utils import backends, datasets
from utils.errors import ModelFileError
from utils.training import model_file


@dataclass(frozen=True)
class Evaluation:
    """A run's best model and its answers to all test examples.

    Attributes
    ----------
    W, b : numpy.ndarray, ``(n_in, n_out)`` and ``(n_out,)``
        Parameters of the best model, of its floatX.
    metadata : dict
        What the model file says of the run; see `utils.training.model_file`.
    history : list of tuple
        As ``TrainingState.history``.
    images : numpy.ndarray, ``(n, n_in)``
        All test images, those past the last full minibatch among them; floatX.
    labels : numpy.ndarray of int32, ``(n,)``
        Their classes.
    probabilities : numpy.ndarray, ``(n, n_out)``
        What the model gives each class of each image; floatX.
    """

    W: np.ndarray
    b: np.ndarray
    metadata: dict
    history: list
    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def evaluate(result, backend="auto"):
    """Ask a run's best model about all test examples.

    Parameters
    ----------
    result : utils.training.TrainingResult
        Its `model` and `dataset` are read again.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".

    Returns
    -------
    Evaluation

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
    from logistic_sgd import LogisticRegression

    classifier = model_file.load(result.model, LogisticRegression)
    W, b = (param.get_value() for param in (classifier.W, classifier.b))
    images, labels = datasets.load(result.dataset)[2]
    if images.shape[1] != W.shape[0]:
        raise ModelFileError(
            f"{result.model}: expected the model of this run, for images of shape (n, "
            f"{images.shape[1]}), found one for (n, {W.shape[0]}): let no other run "
            "write the same file (--model)."
        )
    images = np.asarray(images, dtype=W.dtype)
    ask_model = pytensor.function(
        inputs=[classifier.input],
        outputs=classifier.p_y_given_x,
        mode=backends.compilation_mode(backend),
    )
    return Evaluation(
        W=W,
        b=b,
        metadata=classifier.metadata,
        history=result.history,
        images=images,
        labels=labels,
        probabilities=np.asarray(ask_model(images)),
    )
