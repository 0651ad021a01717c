"""The patience rule, and the state of a training run."""

import math
from dataclasses import dataclass, field
from numbers import Integral, Real

from utils.errors import HyperparameterError


@dataclass
class TrainingState:
    """Where a run stands, and the patience that decides when it stops.

    Attributes
    ----------
    patience : int
        Number of minibatches that are looked at in any case. Default 5000.
    patience_increase : int
        On a significant improvement at iteration ``iter``, patience becomes at
        least ``iter * patience_increase``. Default 2.
    improvement_threshold : float
        An improvement is significant when the validation error falls below this
        fraction of the best so far. Default 0.995.
    epoch : int
        The epoch being trained, counted from 1; 0 before the start.
    iter : int
        Objective finished since the start, less one.
    best_validation_loss, test_score : float
        Fractions of 1: the lowest validation error, and the test error of the model
        that reached it.
    best_epoch : int
        The epoch (or conjugate gradient iteration) of that model; 0 where none is.
    best_model : dict
        Its `W`, `b` and `metadata`, as ``LogisticRegression.__getstate__`` gives them.
    history : list of tuple
        For each validation: epoch, iter, cost of the minibatch before it, validation
        error, test error of the best model so far (both fractions of 1), and seconds
        of training until then.
    """

    patience: int = 5000
    patience_increase: int = 2
    improvement_threshold: float = 0.995
    epoch: int = 0
    iter: int = -1
    best_validation_loss: float = math.inf
    test_score: float = math.nan
    best_epoch: int = 0
    best_model: dict = field(default_factory=dict)
    history: list = field(default_factory=list)

    keeps = "best"  # which model is tested and saved

    def is_new_best(self, validation_loss):
        """Take note of a validation error; True where it is the lowest so far.

        Parameters
        ----------
        validation_loss : float
            Validation error after iteration `iter`, a fraction of 1.

        Returns
        -------
        bool
            Whether it is lower than every one before it. A significant improvement
            extends the patience as well.
        """
        if not validation_loss < self.best_validation_loss:
            return False
        if validation_loss < self.best_validation_loss * self.improvement_threshold:
            self.patience = max(self.patience, self.iter * self.patience_increase)
        self.best_validation_loss = validation_loss
        self.best_epoch = self.epoch
        return True

    @property
    def out_of_patience(self):
        """Whether training should stop after the minibatch just finished."""
        return self.patience <= self.iter

    @property
    def reached(self):
        """How far the run has come, for a model's metadata: a dict."""
        return {"epoch": self.epoch}

    @property
    def length(self):
        """The unit in which a run is counted, and how many there were so far."""
        return "epoch", self.epoch

    @property
    def seconds(self):
        """Seconds of training until the last validation."""
        return self.history[-1][-1] if self.history else 0.0


@dataclass
class FixedStepsState(TrainingState):
    """A run of so many steps: without patience, and of the latest model.

    Each validation's model takes the place of the one before, better or not, so that
    in the end the last one is kept. `best_validation_loss`, `test_score`, `best_epoch`
    and `best_model` are those of this latest model.

    Attributes
    ----------
    n_steps : int
        Objective after which the run ends.
    """

    n_steps: int = 1

    keeps = "latest"

    def is_new_best(self, validation_loss):
        """Take note of a validation error; True, whatever it is."""
        self.best_validation_loss, self.best_epoch = validation_loss, self.epoch
        return True

    @property
    def out_of_patience(self):
        """Whether the minibatch just finished was the last."""
        return self.n_steps <= self.iter + 1

    @property
    def reached(self):
        """How far the run has come, for a model's metadata: a dict."""
        return {"epoch": self.epoch, "step": self.iter + 1}

    @property
    def length(self):
        """The unit in which a run is counted, and how many there were so far."""
        return "step", self.iter + 1


@dataclass(frozen=True)
class TrainingResult:
    """What a training run found.

    Attributes
    ----------
    best_validation_loss, test_score : float
        Fractions of 1, as in `TrainingState`.
    best_epoch : int
        The epoch (or conjugate gradient iteration) of the best model.
    n_epochs : int
        Epochs (or iterations) that were begun.
    seconds : float
        Wall time of the training loop, compilation not counted.
    history : list of tuple
        As in `TrainingState`, from the first epoch on where the run was resumed.
    model, dataset : str or path
        Where the best model was saved, and the dataset, as they were given.
    """

    best_validation_loss: float
    test_score: float
    best_epoch: int
    n_epochs: int
    seconds: float
    history: list
    model: str
    dataset: str

    @classmethod
    def of(cls, state, seconds, model, dataset):
        """The result of a run that ended in `state` after `seconds`."""
        return cls(
            best_validation_loss=state.best_validation_loss,
            test_score=state.test_score,
            best_epoch=state.best_epoch,
            n_epochs=state.epoch,
            seconds=seconds,
            history=list(state.history),
            model=model,
            dataset=dataset,
        )


def check_hyperparameters(
    n_epochs, batch_size=None, learning_rate=1.0, shuffle=None, n_steps=None
):
    """Refuse hyperparameters that training cannot use, before any data is read.

    Parameters
    ----------
    n_epochs : int
        At least 1.
    batch_size : int or None
        At least 1; None leaves the choice to `minibatch_counts`.
    learning_rate : float
        Above 0, finite.
    shuffle : int or None
        A seed, at least 0; None shuffles nothing.
    n_steps : int or None
        At least 1; None leaves the end of the run to patience.

    Raises
    ------
    HyperparameterError
        Naming the hyperparameter, what was expected and what was found.
    """
    optional = [
        ("batch_size", batch_size, 1),
        ("shuffle", shuffle, 0),
        ("n_steps", n_steps, 1),
    ]
    given = [argument for argument in optional if argument[1] is not None]
    for name, value, least in [("n_epochs", n_epochs, 1), *given]:
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise HyperparameterError(
                f"{name} is {value!r}: expected a whole number of at least {least}."
            )
    if (
        not isinstance(learning_rate, Real)
        or not math.isfinite(learning_rate)
        or learning_rate <= 0
    ):
        raise HyperparameterError(
            f"learning_rate is {learning_rate!r}: expected a finite number above 0; "
            "the tutorial uses 0.13."
        )


def minibatch_counts(split_sizes, batch_size=None):
    """Number of full minibatches in each split; the remainder is left out.

    Parameters
    ----------
    split_sizes : sequence of int
        Number of examples in the training, validation and test split.
    batch_size : int or None
        Examples in a minibatch. None (default) means the tutorial's 600, or 20 where
        a split holds fewer than 600.

    Returns
    -------
    batch_size : int
    n_train_batches, n_valid_batches, n_test_batches : int

    Raises
    ------
    HyperparameterError
        Where a minibatch is larger than a split; names both sizes.
    """
    if batch_size is None:
        batch_size = 600 if min(split_sizes) >= 600 else 20
    names = ("training", "validation", "test")
    for name, size in zip(names, split_sizes, strict=True):
        if size < batch_size:
            raise HyperparameterError(
                f"A minibatch of {batch_size} examples is larger than the {name} "
                f"split, which holds {size}: choose a batch size of at most "
                f"{min(split_sizes)}."
            )
    return batch_size, *(size // batch_size for size in split_sizes)
