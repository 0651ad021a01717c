"""The options that both scripts have, and those of a cluster."""

import argparse
import os

from utils.backends import BACKENDS


def parser(script, description, n_epochs):
    """A parser of the options that both scripts have.

    Parameters
    ----------
    script : str
        The script's file name or path; messages begin with its last part.
    description : str
        Its docstring; the first line is shown by ``--help``.
    n_epochs : int
        Default of ``--n-epochs``, for the help.

    Returns
    -------
    argparse.ArgumentParser
    """
    summary = description.split("\n")[0]
    result = argparse.ArgumentParser(prog=os.path.basename(script), description=summary)
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
        help="save the state of training to this file at each validation",
    )
    add(
        "--resume",
        metavar="PATH",
        help="resume from a checkpoint; options that are not given are those of its "
        "run, and it is kept up to date unless --checkpoint names another file",
    )
    add(
        "--floatX",
        choices=("float32", "float64"),
        help="precision (default: what PYTENSOR_FLAGS says, otherwise float32 for SGD "
        "and float64 for conjugate gradient)",
    )
    add(
        "--backend",
        metavar="{" + ",".join(BACKENDS) + "}",
        help="what the functions are compiled for (default: auto, which is C where a "
        "C++ compiler works, otherwise Numba; jax uses a GPU where JAX sees one)",
    )
    add(
        "--plot",
        metavar="FOLDER",
        help="after training, write pictures of the best model and of the run into "
        "this folder, as PNG and SVG, and a history.csv; with --predict, each picture "
        "as the model sees it (needs python -m pip install -e '.[plot]')",
    )
    add(
        "--report",
        metavar="PATH",
        help="after training, write a page about the run and its model to this file, "
        "with a pad to draw digits on: HTML that needs no server and no network",
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
    """Add the options that choose the processes to compute on.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
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
