"""Fused operations for softmax regression; importing the package is all it takes."""

from utils.backends.fusion import rewriting  # noqa: F401
from utils.backends.fusion.op import softmax_regression_errors, softmax_regression_loss

__all__ = ["softmax_regression_errors", "softmax_regression_loss"]
