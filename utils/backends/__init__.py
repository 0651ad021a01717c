"""A backend's name -> the PyTensor mode that compiles for it."""

from utils.errors import BackendError

from .modes import (
    BACKENDS,
    OneModuleLinker,
    compilation_mode,
    updated_variables,
    warm_up,
)

__all__ = [
    "BACKENDS",
    "BackendError",
    "OneModuleLinker",
    "compilation_mode",
    "updated_variables",
    "warm_up",
]
