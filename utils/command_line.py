"""What both scripts share: options, messages, exit codes."""

import argparse
import contextlib
import os
import shlex
import sys

from pytensor import config

from utils import checkpoint_file, datasets
from utils.backends import BACKENDS, BackendError
from utils.checkpoint_file import CheckpointError
from utils.cluster import Cluster, ClusterError
from utils.datasets import DatasetError
from utils.digit_image import DigitImageError
from utils.model_file import ModelFileError
from utils.recorder import DivergenceError, Recorder, TrainingStopped
from utils.showing import MissingPackageError, check_places, history_kept
from utils.stop_signals import stopping
from utils.training import HyperparameterError

EXPECTED_ERRORS = (
    BackendError,
    CheckpointError,
    ClusterError,
    DatasetError,
    DigitImageError,
    DivergenceError,
    HyperparameterError,
    MissingPackageError,
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
        Default of ``--n-epochs``, for the help.

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
        help="digits, mnist.pkl.gz, or the path of a .pkl.gz, of a folder of IDX or "
        ".npy files, or of an .npz (default: MNIST, found or downloaded; digits where "
        "it cannot be had)",
    )
    add(
        "--n-epochs",
        type=int,
        metavar="N",
        help=f"the most epochs or iterations to train (default: {n_epochs})",
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
        metavar="PATH",
        help="file of the best model (default: best_model.pkl)",
    )
    add(
        "--checkpoint",
        metavar="PATH",
        help="keep the state of training in this file, at each validation",
    )
    add(
        "--resume",
        metavar="PATH",
        help="go on from a checkpoint; options that are not given are as they were in "
        "its run, and it is written further unless --checkpoint names another file",
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
        help="what the functions are compiled for (default: auto, which is C where a "
        "C++ compiler works, else Numba; jax uses a GPU where JAX sees one)",
    )
    add(
        "--plot",
        metavar="FOLDER",
        help="after training, put pictures of the best model and of the run into this "
        "folder, as PNG and SVG, and a history.csv; with --predict, what the model saw "
        "of each picture (needs python -m pip install -e '.[plot]')",
    )
    add(
        "--report",
        metavar="PATH",
        help="after training, write a page on the run and its model to this file, with "
        "a pad to draw digits on: HTML that needs no server and no network",
    )
    add(
        "--history",
        metavar="PATH",
        help="write the costs and errors of the run to this file, as CSV",
    )
    add(
        "--quiet",
        action="store_true",
        help="no progress and no notices on standard error",
    )
    return result


def add_cluster_options(parser):
    """Add the options that say on which processes to compute.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="compute on N processes of this machine, each of one thread or of "
        "OMP_NUM_THREADS (needs the extra `cluster`)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="compute on the workers of the dask scheduler at tcp://host:port",
    )
    parser.add_argument(
        "--shards",
        type=int,
        metavar="S",
        help="parts of the training set that workers share out (default: as many as "
        "workers); the last digits depend on it, not on the number of workers",
    )


def cluster(options):
    """The cluster that the options ask for, as a context manager; else of None."""
    asked = given(options, "workers", "scheduler")
    if not asked:
        return contextlib.nullcontext()
    return Cluster(**asked, notify=options.recorder.notice)


def given(options, *names):
    """Those of the named options that were given, as keyword arguments."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def training_arguments(options, dataset="dataset"):
    """The options that both scripts' training functions take, as keyword arguments.

    Parameters
    ----------
    options : argparse.Namespace
    dataset : str
        What the function calls the argument that names the dataset.
    """
    names = "n_epochs", "batch_size", "model", "backend", "checkpoint", "resume"
    arguments = given(options, *names) | {"recorder": options.recorder}
    if options.dataset is not None:
        arguments[dataset] = options.dataset
    elif options.resume is None:
        arguments[dataset] = default_dataset(options.recorder.notice)
    if options.resume is None:
        arguments.setdefault("batch_size", None)
    return arguments


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
        Exit status: 0; 1 after an error; 128 and the signal's number where one stopped
        the run, so 130 after Ctrl-C, or where nobody reads its output (141).
    """
    options = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    options.command = shlex.join(["python", parser.prog, *map(str, words)])
    try:
        with Recorder(quiet=options.quiet) as options.recorder:
            with stopping(options.recorder):
                _set_floatX(options, floatX)
                check_places(options)
                with history_kept(options):
                    action(options)
                sys.stdout.flush()
    except TrainingStopped as stopped:
        print(f"{parser.prog}: {stopped}", file=sys.stderr)
        return 128 + stopped.signal_number
    except BrokenPipeError:
        _drop_output()
        return 128 + 13  # SIGPIPE's number; Windows has no such signal
    except EXPECTED_ERRORS as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        _drop_output()
        return 1
    return 0


def _drop_output():
    """Drop lines that cannot be written, or Python fails on them again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_floatX(options, default):
    """Set floatX: the option's, else PYTENSOR_FLAGS', the checkpoint's, the default."""
    # `is_default` tells whether PYTENSOR_FLAGS or .pytensorrc set it.
    if options.floatX or config._config_var_dict["floatX"].is_default:
        if options.resume and not options.floatX:
            default = checkpoint_file.read(options.resume)["floatX"]
        config.floatX = options.floatX or default


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


def print_accuracy(step, accuracy, n_test):
    """The accuracy of a run of so many steps, on standard error.

    Parameters
    ----------
    step : int
        After which the model was tested.
    accuracy : float
        Fraction of 1.
    n_test : int
        Number of test examples, those past the last full minibatch among them.
    """
    print(
        f"The model after step {step} has accuracy {accuracy:.4f} over all {n_test} "
        "test examples",
        file=sys.stderr,
    )
