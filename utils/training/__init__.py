"""A training run: its state, its files, how it is resumed, and its model's input."""

from .model_input import ModelInput
from .monitor import Monitor, TrainingStopped
from .objective import Objective
from .replay import Replay
from .resuming import resumable
from .run import Run
from .settings import Settings
from .state import TrainingResult

__all__ = [
    "ModelInput",
    "Monitor",
    "Objective",
    "Replay",
    "Run",
    "Settings",
    "TrainingResult",
    "TrainingStopped",
    "resumable",
]
