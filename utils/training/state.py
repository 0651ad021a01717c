"""The state of a training run, and the result that it ends with."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class TrainingState:
    """The state of a run; a checkpoint keeps each field that is declared here.

    Attributes
    ----------
    patience : float
        Minibatches that are looked at in any case. With `n_steps`, the last of them.
        Infinite where a script has no such rule.
    patience_increase : float
        How many times longer to wait when a new best is found; 0 with `n_steps`.
    improvement_threshold : float
        An improvement is significant when the validation error falls below this
        fraction of the best so far.
    epoch : int
        The epoch being trained, counted from 1; 0 before the start.
    iter : int
        Minibatches finished since the start, less one.
    best_validation_loss, test_score : float
        Fractions of 1: the validation and test error of the model that was kept.
    best_epoch : int
        The epoch (or conjugate gradient iteration) of that model; 0 before any.
    best_model : dict
        Its parameters and metadata; see `model_state`.
    history : list of tuple
        For each validation: epoch, iter, cost of the minibatch before it, validation
        error, test error of the model that was kept (both fractions of 1), and seconds
        of training until then.
    n_steps : int or None
        Minibatches after which the run ends; the latest model is then the one to keep,
        better or not. None: patience ends the run, and the best model is kept.
    """

    patience: float = math.inf
    patience_increase: float = 0
    improvement_threshold: float = 1.0
    epoch: int = 0
    iter: int = -1
    best_validation_loss: float = math.inf
    test_score: float = math.nan
    best_epoch: int = 0
    best_model: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    n_steps: int | None = None

    @property
    def kept(self):
        """Which model is tested and saved, as a word."""
        return "best" if self.n_steps is None else "latest"

    @property
    def unit(self):
        """The unit of `epoch`: conjugate gradient, which keeps no `iter`, iterates."""
        return "epoch" if self.iter >= 0 else "iteration"

    @property
    def duration(self):
        """The number of epochs or steps so far, and their unit."""
        if self.n_steps is None:
            return self.epoch, "epochs"
        return self.iter + 1, "steps"

    @property
    def best_so_far(self):
        """A sentence on the model that was kept last."""
        if not self.best_epoch:
            return "No model was good enough to be saved yet."
        return (
            f"The {self.kept} model so far is that of {self.unit} {self.best_epoch}: "
            f"validation error {self.best_validation_loss * 100:f} %, test error "
            f"{self.test_score * 100:f} %."
        )


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run.

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
    model : str or path
    dataset : str, path or arrays
        The best model's file, and the dataset, as they were given.
    ended_because : str
        Why the run ended, as "all epochs done", or where it was stopped.
    """

    best_validation_loss: float
    test_score: float
    best_epoch: int
    n_epochs: int
    seconds: float
    history: list
    model: str | os.PathLike
    dataset: str | os.PathLike | Sequence
    ended_because: str = ""
