"""Backends: a PyTensor mode for each, found by its name."""

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
