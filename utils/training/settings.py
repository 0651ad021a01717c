"""The settings of a training function that are not the tutorial's."""

import os
from dataclasses import dataclass

from .monitor import Monitor


@dataclass
class Settings:
    """Settings of a run, each of which may be left out.

    Parameters
    ----------
    shuffle : int
        Seed, from 0 to 2**128 - 1, of a new random order of the training examples in
        each epoch; see `ExampleOrder`. Default: the order of the file. Of minibatch SGD
        only.
    n_steps : int
        Train this many minibatches: it replaces `n_epochs`, beside which it may not be
        given, and patience. Each validation's model is tested and saved, better or not,
        the last one after the last step. Of minibatch SGD only.
    cluster : utils.training.cluster.Cluster
        Has its workers compute cost, gradient and errors; default: this process does.
        Of conjugate gradient only.
    shards : int
        The runs of whole minibatches that a cluster's workers share out. The number
        decides in which order sums are taken, so also their last digits. Default: the
        workers at the start. Of conjugate gradient only.
    model : str or path
        The best model's file. Default ``best_model.pkl``.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".
    monitor : utils.training.Monitor
        Prints the lines, shows progress, writes the files; the default prints the
        tutorial's lines, and at a prompt shows progress.
    checkpoint : str or path
        The file in which the state of training is kept at each validation. Default:
        `resume`.
    resume : str or path
        A checkpoint to resume from. Arguments that are not given have the values they
        had in its run; only `n_epochs`, `n_steps`, `backend`, and the places of files
        may differ. The lines that are printed are those that were left of that run.
    """

    shuffle: int | None = None
    n_steps: int | None = None
    cluster: object = None
    shards: int | None = None
    model: str | os.PathLike = "best_model.pkl"
    backend: str = "auto"
    monitor: Monitor | None = None
    checkpoint: str | os.PathLike | None = None
    resume: str | os.PathLike | None = None


SGD_ONLY, CONJUGATE_GRADIENT_ONLY = {"shuffle", "n_steps"}, {"cluster", "shards"}
