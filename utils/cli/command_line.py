"""What both scripts share: what becomes of their options, messages, exit codes."""

import contextlib
import os
import shlex
import sys

from pytensor import config

from utils import datasets
from utils.cli.options import add_cluster_options, given, parser
from utils.cli.stop_signals import stopping
from utils.errors import UserError
from utils.report.outputs import check_places, history_kept
from utils.training import Monitor, TrainingStopped, checkpoint_file
from utils.training.cluster import Cluster

__all__ = [
    "add_cluster_options",
    "cluster",
    "default_dataset",
    "given",
    "parser",
    "run",
    "training_arguments",
]


def cluster(options):
    """The cluster that the options ask for, as a context manager; else of None."""
    asked = given(options, "workers", "scheduler")
    if not asked:
        return contextlib.nullcontext()
    return Cluster(**asked, notify=options.monitor.log)


def training_arguments(options, dataset="dataset"):
    """The options that both scripts' training functions take, as keyword arguments.

    Parameters
    ----------
    options : argparse.Namespace
    dataset : str
        What the function calls the argument that names the dataset.
    """
    names = "n_epochs", "batch_size", "model", "backend", "checkpoint", "resume"
    arguments = given(options, *names) | {"monitor": options.monitor}
    if options.dataset is not None:
        arguments[dataset] = options.dataset
    elif options.resume is None:
        arguments[dataset] = default_dataset(options.monitor.log)
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
        with Monitor(quiet=options.quiet) as options.monitor:
            with stopping(options.monitor):
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
    except (UserError, OSError) as error:
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
