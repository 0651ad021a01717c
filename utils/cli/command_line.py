"""Run a script from its command line: options, messages and exit statuses."""

import contextlib
import os
import shlex
import signal
import sys

from pytensor import config

from utils import datasets
from utils.backends.compile_cache import advice
from utils.cli.options import add_cluster_options, given, parser
from utils.errors import UserError
from utils.report import outputs
from utils.text import shown
from utils.training import Monitor, TrainingStopped, checkpoint_file
from utils.training.stop_signals import stopping

__all__ = [
    "add_cluster_options",
    "cluster",
    "given",
    "parser",
    "run",
    "training_arguments",
]


def cluster(options):
    """The cluster that the options ask for, or None, as a context manager."""
    asked = given(options, "workers", "scheduler")
    if not asked:
        return contextlib.nullcontext()
    from utils.training.cluster import Cluster  # an import that few runs need

    return Cluster(**asked, notify=options.monitor.log)


def training_arguments(options, dataset="dataset"):
    """The options that both scripts' training functions take, as keyword arguments.

    They are those that were given. The dataset and the batch size are chosen here where
    neither they nor a checkpoint to resume from were.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed, with the run's monitor as `monitor`.
    dataset : str
        The function's name for the argument that names the dataset.
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
    """MNIST where it can be had; otherwise `digits`, and two lines that say so."""
    try:
        datasets.find(datasets.MNIST, notify=notify)
    except datasets.MnistUnavailableError as error:
        notify(f"{error}")
        notify(
            "Training on the 8x8 images of `digits` instead, which come with "
            "scikit-learn: the figures below are not those of MNIST."
        )
        return "digits"
    return "mnist.pkl.gz"


def run(parser, action, arguments, floatX):
    """Run a script's action, and print an error that a person can mend as one line.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    action : callable
        Called with the parsed options, which have the run's `monitor` and `command`.
    arguments : list of str or None
        None means those of ``sys.argv``.
    floatX : {"float32", "float64"}
        Used where neither ``--floatX`` nor ``PYTENSOR_FLAGS`` names one.

    Returns
    -------
    int
        Exit status: 0; 1 after an error; 128 plus the signal's number where one stopped
        the run, so 130 after Ctrl-C; 141 where nobody reads its output.
    """
    options = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    options.command = shlex.join(["python", parser.prog, *map(str, words)])
    try:
        with Monitor(quiet=options.quiet) as options.monitor:
            with stopping(options.monitor, signal.SIGINT, signal.SIGTERM):
                resume = options.resume
                kept = {} if resume is None else checkpoint_file.read(resume)
                _set_floatX(options, kept.get("floatX", floatX))
                outputs.check(options, kept.get("arguments"))
                with outputs.history_kept(options):
                    action(options)
                sys.stdout.flush()
    except TrainingStopped as stopped:
        print(f"{parser.prog}: {stopped}", file=sys.stderr)
        return 128 + stopped.signal_number
    except BrokenPipeError:
        _drop_output()
        return 128 + 13  # SIGPIPE's number; Windows has no such signal
    except (UserError, OSError, MemoryError) as error:
        # The output itself may be what cannot be written. Of other files that have a
        # name, and of full disks, a UserError tells; the compilers' have none.
        remedy = "" if _drop_output() or isinstance(error, UserError) else advice(error)
        message = error if isinstance(error, UserError) else shown(error)
        if isinstance(error, MemoryError):
            # Below the reason PyTensor describes the operation, in many lines.
            reason = str(error).partition("\n")[0] or "an allocation failed"
            message = f"expected enough memory, found too little ({shown(reason)})"
            remedy = "use a smaller dataset, smaller minibatches or a larger machine"
        text = f"{message}: {remedy}." if remedy else message
        print(f"{parser.prog}: error: {text}", file=sys.stderr)
        return 1
    return 0


def _drop_output():
    """Drop lines that cannot be written: Python would try again at its end.

    Returns True where standard output has any.
    """
    failed = []
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            failed.append(stream)
    return sys.stdout in failed


def _set_floatX(options, default):
    """Set floatX: the first of option, PYTENSOR_FLAGS and default."""
    # `is_default` tells whether PYTENSOR_FLAGS or .pytensorrc set it.
    if options.floatX or config._config_var_dict["floatX"].is_default:
        config.floatX = options.floatX or default
