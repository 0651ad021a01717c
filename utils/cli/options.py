"""The options that both scripts have, and those of a cluster."""

import argparse
import os
import platform

import pytensor

from utils.backends import BACKENDS
from utils.cli import __version__
from utils.text import shown


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        super().error(shown(message))


def parser(script, description, n_epochs):
    """An argparse parser of the options that both scripts have.

    Parameters
    ----------
    script : str
        The script's file name or path; messages begin with its last part.
    description : str or None
        Its docstring, whose first line ``--help`` shows; None under ``python -OO``.
    n_epochs : int
        Default of ``--n-epochs``, for the help.
    """
    summary = (description or "").split("\n")[0]
    result = _Parser(prog=shown(os.path.basename(script)), description=summary)

    def add(name, help, metavar="PATH", **settings):
        result.add_argument(name, help=help, metavar=metavar, **settings)

    add(
        "--dataset",
        "mnist (downloaded from Google's or PyTorch's copy) or fashion_mnist (from "
        "Zalando's project) where they are not found, digits (of scikit-learn), or the "
        "path of a .pkl.gz, of a folder of IDX or .npy files, or of an .npz (default: "
        "MNIST, or digits where it cannot be had)",
        "NAME|PATH",
    )
    most = f"the most epochs or iterations to train (default: {n_epochs})"
    add("--n-epochs", most, "N", type=int)
    add(
        "--batch-size",
        "examples in a minibatch (default: 600, or 20 where a split holds fewer "
        "than 600)",
        "N",
        type=int,
    )
    add("--model", "file of the best model (default: best_model.pkl)")
    add("--checkpoint", "save the state of training to this file at each validation")
    add(
        "--resume",
        "resume from a checkpoint; options that are not given are those of its "
        "run, and it is kept up to date unless --checkpoint names another file",
    )
    add(
        "--floatX",
        "precision (default: what PYTENSOR_FLAGS says, otherwise float32 for SGD "
        "and float64 for conjugate gradient)",
        None,
        choices=("float32", "float64"),
    )
    add(
        "--backend",
        "what the functions are compiled for (default: auto, which is C where a "
        "C++ compiler works, otherwise Numba; jax uses a GPU where JAX sees one)",
        "{" + ",".join(BACKENDS) + "}",
    )
    add(
        "--plot",
        "after training, write pictures of the best model and of the run into "
        "this folder, as PNG and SVG, and a history.csv; with --predict, each picture "
        "as the model sees it (needs python -m pip install -e '.[plot]')",
        "FOLDER",
    )
    add(
        "--report",
        "after training, write a page about the run and its model to this file, "
        "with a pad to draw digits on: HTML that needs no server and no network",
    )
    add("--history", "write the costs and errors of the run to this file, as CSV")
    versions = f"PyTensor {pytensor.__version__}, Python {platform.python_version()}"
    result.add_argument(
        "--version",
        action="version",
        version=f"%(prog)s {__version__} ({versions})",
        help="show the versions of the program, PyTensor and Python",
    )
    quiet = "no progress and no notices on standard error"
    result.add_argument("--quiet", action="store_true", help=quiet)
    return result


def add_cluster_options(parser):
    """Add to a parser the options that choose the processes to compute on."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="compute on N processes of this machine, each with one thread or "
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
        help="parts of the training set, shared out among the workers (default: one "
        "for each); the last digits of results depend on it, not on the workers",
    )


def given(options, *names):
    """The named options, as keyword arguments, without those that were not given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
