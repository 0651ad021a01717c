"""Splits of minibatches into shards, and of shards among workers."""

from utils.errors import HyperparameterError
from utils.text import number

from ..hyperparameters import within_bounds


def sharding(shards, cluster, n_train_batches):
    """Return the number of shards, as an argument that a checkpoint keeps.

    That is ``{"shards": n}``, or nothing without a cluster. See `utils.training.Run`
    for `shards` and `cluster`; a `HyperparameterError` says if there cannot be so many.
    """
    if cluster is None:
        if shards is None:
            return {}
        raise HyperparameterError(
            f"shards is {number(shards)}, but a training set is split for a cluster "
            "only: give --workers N or --scheduler ADDRESS (to a training function, "
            "cluster) too, or leave shards out."
        )
    if shards is None:
        shards = min(cluster.n_workers, n_train_batches)
    if not within_bounds("shards", shards) or shards > n_train_batches:
        raise HyperparameterError(
            f"shards is {number(shards)}: expected a whole number from 1 to "
            f"{n_train_batches}, the minibatches of the training set."
        )
    return {"shards": shards}


def split_evenly(items, n):
    """Split a sequence into a list of at most n parts, in order, none of them empty.

    Their lengths are nearly equal, the longer ones first.
    """
    n = min(n, len(items))
    least, longer = divmod(len(items), n) if n else (0, 0)
    cuts = [i * least + min(i, longer) for i in range(n + 1)]
    return [items[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
