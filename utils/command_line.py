"""What both scripts share: options, messages, exit codes."""

import argparse
import os
import sys

from pytensor import config

from utils import datasets
from utils.backends import BACKENDS, BackendError
from utils.datasets import DatasetError
from utils.model_file import ModelFileError
from utils.recorder import Recorder
from utils.training import HyperparameterError

EXPECTED_ERRORS = (
    BackendError,
    DatasetError,
    HyperparameterError,
    ModelFileError,
    OSError,
)


def parser(script, description, n_epochs):
    """The options that both scripts have.

    Parameters
    ----------
    script : str
        The script's file name.
    description : str
        Its docstring; the first line is shown by ``--help``.
    n_epochs : int
        Default of ``--n-epochs``.

    Returns
    -------
    argparse.ArgumentParser
    """
    summary = description.split("\n")[0]
    result = argparse.ArgumentParser(prog=script, description=summary)
    add = result.add_argument
    add(
        "--dataset",
        metavar="NAME|PATH",
        help="digits, mnist.pkl.gz, or the path of a .pkl.gz, of a folder of IDX files "
        "or of an .npz (default: MNIST, found or downloaded; digits where it cannot be "
        "had)",
    )
    add(
        "--n-epochs",
        type=int,
        default=n_epochs,
        metavar="N",
        help="the most epochs or iterations to train (default: %(default)s)",
    )
    add(
        "--batch-size",
        type=int,
        metavar="N",
        help="examples in a minibatch (default: 600, or 20 where a split holds fewer "
        "than 600)",
    )
    add(
        "--model",
        default="best_model.pkl",
        metavar="PATH",
        help="file of the best model (default: %(default)s)",
    )
    add(
        "--floatX",
        choices=("float32", "float64"),
        help="precision (default: what PYTENSOR_FLAGS says, else float32 for SGD and "
        "float64 for conjugate gradient)",
    )
    add(
        "--backend",
        metavar="{" + ",".join(BACKENDS) + "}",
        default="auto",
        help="what the functions are compiled for (default: auto, which is C where a "
        "C++ compiler works, else Numba; jax uses a GPU where JAX sees one)",
    )
    add(
        "--quiet",
        action="store_true",
        help="no progress and no notices on standard error",
    )
    return result


def training_arguments(options):
    """The options that both scripts' training functions take, as keyword arguments."""
    recorder = Recorder(quiet=options.quiet)
    return {
        "n_epochs": options.n_epochs,
        "batch_size": options.batch_size,
        "dataset": options.dataset or default_dataset(recorder.notice),
        "model": options.model,
        "backend": options.backend,
        "recorder": recorder,
    }


def default_dataset(notify):
    """MNIST where it can be had; else `digits`, with a notice that says so.

    Parameters
    ----------
    notify : callable
        Called with each line of the notice.

    Returns
    -------
    str
        ``mnist.pkl.gz`` or ``digits``.
    """
    try:
        datasets.find_mnist(notify=notify)
    except datasets.MnistUnavailableError as error:
        notify(f"{error}")
        notify(
            "Training on the 8x8 images of `digits` instead, which come with "
            "scikit-learn: the figures below are not those of MNIST."
        )
        return "digits"
    return "mnist.pkl.gz"


def run(parser, action, arguments, floatX):
    """Run a script's action; errors that a person can mend become one line.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    action : callable
        Called with the parsed options.
    arguments : list of str or None
        None (default of the scripts) means ``sys.argv``.
    floatX : {"float32", "float64"}
        Used where neither ``--floatX`` nor ``PYTENSOR_FLAGS`` names one.

    Returns
    -------
    int
        Exit status: 0, or 1 after an error.
    """
    options = parser.parse_args(arguments)
    # `is_default` tells whether PYTENSOR_FLAGS or .pytensorrc set it.
    if options.floatX or config._config_var_dict["floatX"].is_default:
        config.floatX = options.floatX or floatX
    try:
        action(options)
    except EXPECTED_ERRORS as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def print_run_time(script, seconds):
    """The tutorial's last line, on standard error.

    Parameters
    ----------
    script : str
        Path of the script.
    seconds : float
        Wall time of the training loop alone.
    """
    name = os.path.basename(script)
    print(f"The code for file {name} ran for {seconds:.1f}s", file=sys.stderr)
