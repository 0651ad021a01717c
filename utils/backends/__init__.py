"""Backends: a PyTensor mode for each, found by its name."""

from utils.errors import BackendError

from .linker import OneModuleLinker
from .modes import BACKENDS, compilation_mode, shared_variables, warm_up
from .written_graph import describe, first_difference, written_graph

__all__ = [
    "BACKENDS",
    "BackendError",
    "OneModuleLinker",
    "compilation_mode",
    "describe",
    "first_difference",
    "shared_variables",
    "warm_up",
    "written_graph",
]
