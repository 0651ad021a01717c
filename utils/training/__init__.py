"""The state of a training run, and what is kept of it."""

from utils.errors import (
    CheckpointError,
    DivergenceError,
    HyperparameterError,
    ModelFileError,
)

from .state import (
    FixedStepsState,
    TrainingResult,
    TrainingState,
    check_hyperparameters,
    minibatch_counts,
)

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "FixedStepsState",
    "HyperparameterError",
    "ModelFileError",
    "TrainingResult",
    "TrainingState",
    "check_hyperparameters",
    "minibatch_counts",
]
