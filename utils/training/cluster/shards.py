"""Splits of minibatches into shards, and of shards among workers."""

from utils.errors import HyperparameterError


def sharding(shards, cluster, n_train_batches):
    """Return the number of shards, as an argument that a checkpoint keeps.

    Parameters
    ----------
    shards : int or None
        The training function's argument; None means one for each worker.
    cluster : utils.training.cluster.Cluster or None
        None means that this process does all the work.
    n_train_batches : int
        Number of minibatches in the training set.

    Returns
    -------
    dict
        ``{"shards": n}``, or nothing without a cluster.

    Raises
    ------
    HyperparameterError
        If there cannot be so many, or there is no cluster.
    """
    if cluster is None:
        if shards is None:
            return {}
        raise HyperparameterError(
            f"shards is {shards!r}, but a training set is split for a cluster only: "
            "give --workers N or --scheduler ADDRESS (to a training function, cluster) "
            "too, or leave shards out."
        )
    if shards is None:
        shards = min(cluster.n_workers, n_train_batches)
    sound = isinstance(shards, int) and not isinstance(shards, bool)
    if not sound or not 1 <= shards <= n_train_batches:
        raise HyperparameterError(
            f"shards is {shards!r}: expected a whole number from 1 to "
            f"{n_train_batches}, the minibatches of the training set."
        )
    return {"shards": shards}


def split_evenly(items, n):
    """Split a sequence into parts of nearly equal length, the longer ones first.

    Parameters
    ----------
    items : sequence
    n : int
        The most parts; none is empty.

    Returns
    -------
    list of sequences
        Together they are `items`, in order.
    """
    n = min(n, len(items))
    least, longer = divmod(len(items), n) if n else (0, 0)
    cuts = [i * least + min(i, longer) for i in range(n + 1)]
    return [items[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
