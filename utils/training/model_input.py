"""Bring examples to what a saved model was trained on, and compare the two.

The metadata of a model has ``feature_range``, the least and the largest value of its
training examples, where these are floats that leave 0 to 1; bytes never do.
"""

import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from utils import datasets
from utils.errors import DatasetError, ModelFileError
from utils.text import shown

from .checkpoint_file import can_be_a_name
from .class_names import class_names

LONGEST_NAME = 4096  # of a dataset; a stranger's model may have any
WHERE = "the images given"


def feature_range(x):
    """What a model's metadata say of its training examples: a dict, often empty."""
    if x.dtype == np.uint8:
        return {}
    low, high = float(x.min()), float(x.max())
    return {} if 0 <= low and high <= 1 else {"feature_range": [low, high]}


class ModelInput:
    """The examples that a saved model is asked about.

    Parameters
    ----------
    path : str or path
        The model's file, for messages.
    classifier : logistic_sgd.LogisticRegression
        As read from there: its `metadata` may be a stranger's.
    notify : callable, optional
        Called with each one-line remark. Default: print it on standard error.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        classifier: Any,
        notify: Callable[[str], object] | None = None,
    ):
        self._path, self._floatX = path, np.dtype(classifier.input.dtype)
        self._n_in = classifier.metadata["n_in"]
        self._class_names = class_names(classifier.metadata)
        self._dataset = _sound_name(classifier.metadata.get("dataset"))
        self._low, self._high = classifier.metadata.get("feature_range", (0.0, 1.0))
        self._notify = notify or (lambda line: print(shown(line), file=sys.stderr))

    def test_examples(
        self, dataset: str | os.PathLike | Sequence | None = None, n: int = 10
    ) -> NDArray:
        """Load a dataset, and return its first test examples.

        Parameters
        ----------
        dataset : str, path or arrays, optional
            See `utils.datasets.load`. Default: the one that the model was trained on.
            Another one is named in a remark.
        n : int
            At most so many. Default 10.

        Returns
        -------
        numpy.ndarray of floats, ``(n, n_in)``

        Raises
        ------
        utils.errors.DatasetError
            If the dataset cannot be loaded.
        utils.errors.ModelFileError
            If its examples are of another size than the model takes, or if no dataset
            is given and the model names none.
        """
        if dataset is None:
            splits = self._load_own()
        else:
            splits = datasets.load(dataset, notify=self._notify, dtype="uint8")
        examples = splits[2][0][:n]
        if examples.shape[1] != self._n_in:
            raise self._misfit(examples)
        if dataset is not None:
            self._compare(dataset, splits)
        return examples / 256 if examples.dtype == np.uint8 else examples

    def _load_own(self):
        """Load the dataset that the model was trained on."""
        if self._dataset is None:
            raise ModelFileError(
                f"{self._path}: expected a model that names the dataset it was trained "
                "on, found none: name one (--dataset, or dataset=...)."
            )
        try:
            return datasets.load(self._dataset, notify=self._notify, dtype="uint8")
        except DatasetError as error:
            raise DatasetError(
                f"{self._path}: the dataset that this model was trained on cannot be "
                f"loaded. {error} To take test examples of another, name it "
                "(--dataset, or dataset=...)."
            ) from error

    def _compare(self, dataset, splits):
        """Remark on a dataset that is not the one that the model was trained on."""
        if datasets.are_arrays(dataset):
            # As training had them: what are not bytes were of the model's floatX.
            arrays = [
                (x if x.dtype == np.uint8 else x.astype(self._floatX), y)
                for x, y in splits
            ]
            name = datasets.name_arrays(datasets.fingerprint(arrays))
        else:
            name = os.fsdecode(dataset)
        own = self._dataset or "a dataset that it does not name"
        if os.path.realpath(name) != os.path.realpath(own):
            self._notify(
                f"... the model was trained on {own}; these are the test examples of "
                f"{name}"
            )

    def named(self, y_pred: NDArray) -> str:
        """Describe predictions ``(n,)``, with the names that classes have."""
        if isinstance(self._class_names, range):
            return str(y_pred)
        return f"{y_pred} {', '.join(self._class_names[y] for y in y_pred)}"

    def rows(self, images: ArrayLike) -> NDArray:
        """Bring images to the model's rows of floatX.

        Values far outside of those that the model was trained on get a remark.

        Parameters
        ----------
        images : array_like, ``(n, ...)``, or one image without that axis
            Floats and bool are taken as they are. Whole numbers are pixels from 0 to
            255, and divided by 256, unless the model was trained on values that leave 0
            to 1.

        Returns
        -------
        numpy.ndarray, ``(n, n_in)``

        Raises
        ------
        utils.errors.DatasetError
            If they are not finite numbers, or whole ones that are no pixels.
        utils.errors.ModelFileError
            If an image has not as many values as the model takes.
        """
        images = datasets.as_array(images, WHERE)
        if images.dtype.kind not in "biuf":
            raise DatasetError(
                f"{WHERE}: expected numbers, found dtype {images.dtype}: convert them."
            )
        if images.size == self._n_in:  # one image, of any shape
            images = images.reshape(1, -1)
        if images.ndim < 2 or math.prod(images.shape[1:]) != self._n_in:
            raise self._misfit(images)
        images = images.reshape(len(images), self._n_in)
        if images.size:
            images = self._scaled(images)
            self._check_range(images)
        return np.ascontiguousarray(images, self._floatX)

    def _scaled(self, images):
        is_whole = images.dtype.kind in "iu"
        if is_whole and not (0 <= self._low and self._high <= 1):
            return images
        images = datasets.bytes_or_floats(images, WHERE)
        return images / 256 if is_whole else images

    def _check_range(self, images):
        low, high = images.min(), images.max()
        margin = (self._high - self._low) / 2
        if low < self._low - margin or high > self._high + margin:
            self._notify(
                f"... {WHERE} hold values from {low:g} to {high:g}, and the model was "
                f"trained on values from {self._low:g} to {self._high:g}: scale them "
                "as the training images were (MNIST: byte / 256)"
            )

    def _misfit(self, images):
        return ModelFileError(
            f"{self._path}: this model expects images of shape (n, {self._n_in}), "
            f"found {images.shape}: give it such images, or name the dataset that it "
            "was trained on."
        )


def _sound_name(name):
    """Return a dataset's name if it can be one, otherwise None."""
    sound = name is not None and can_be_a_name(name) and len(name) < LONGEST_NAME
    return name if sound else None
