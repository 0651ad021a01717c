"""A backend's name -> what compiles for it."""

from utils.errors import BackendError

from .modes import BACKENDS, OneModuleLinker, warm_up, compilation_mode

__all__ = [
    "BACKENDS",
    "BackendError",
    "OneModuleLinker",
    "warm_up",
    "compilation_mode",
]
