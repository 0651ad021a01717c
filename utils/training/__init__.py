"""A training run: its state, what it prints and writes, and how it is resumed."""

from utils.errors import (
    CheckpointError,
    DivergenceError,
    HyperparameterError,
    ModelFileError,
)

from .monitor import Monitor, TrainingStopped
from .objective import Objective
from .replay import Replay
from .resuming import resumable
from .run import Run
from .state import TrainingResult

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "HyperparameterError",
    "ModelFileError",
    "Monitor",
    "Objective",
    "Replay",
    "Run",
    "TrainingResult",
    "TrainingStopped",
    "resumable",
]
