"""The errors that a person can mend; the scripts print them as one line."""

from utils.text import shown


class UserError(Exception):
    """The base of this program's errors: its message says what, where, and a remedy.

    Each argument is a line of the message, and is escaped as `utils.text.shown` does;
    of a very long one, with text from a stranger's file, the middle is left out.
    """

    def __str__(self):
        return "\n".join(_shortened(shown(line)) for line in self.args)


def _shortened(line, half=5000):
    if len(line) <= 2 * half:
        return line
    return f"{line[:half]} ... ({len(line)} characters) ... {line[-half:]}"


class BackendError(UserError, ValueError):
    """A backend that does not exist, or that this machine cannot run."""


class CheckpointError(UserError, ValueError):
    """A checkpoint that is missing, damaged, or of another run."""


class ClusterError(UserError, RuntimeError):
    """A cluster that cannot be started or reached, or a worker that cannot be used."""


class DatasetError(UserError, ValueError):
    """A dataset that cannot be found, read or used."""


class MnistUnavailableError(DatasetError):
    """MNIST is not on this machine and cannot be downloaded."""


class DigitImageError(UserError, ValueError):
    """A picture in which no digit can be found, or no picture at all."""


class DivergenceError(UserError, ArithmeticError):
    """A cost, or a parameter, that became NaN or infinite."""


class HyperparameterError(UserError, ValueError):
    """A hyperparameter that training cannot use."""


class MissingPackageError(UserError, ImportError):
    """A package of an extra, which is not installed or cannot be used."""


class ModelFileError(UserError, ValueError):
    """A model file that is missing, damaged, or not a model of this program."""


class WriteError(UserError, OSError):
    """A file that could not be written; what stood there before still does.

    ``errno`` and ``filename`` are those of the failure.
    """
