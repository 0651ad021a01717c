"""Cost, gradient and errors on the processes of a dask.distributed cluster.

The training set is split into shards, runs of whole minibatches. Each worker process
maps the data from the path that all machines share, and keeps its rows and its compiled
functions between evaluations; 63 kB of parameters go to it and 63 kB of gradient come
back. What the shards give is added in their order, so that the number of shards, and
not that of workers, decides the last digit.

- `cluster`: the processes, here or at a scheduler's address.
- `shards`: how minibatches are split, and how shards are dealt to workers.
- `objective`: what training asks, and how a lost worker's part is done by others.
- `worker`: what runs on a worker.
- `fingerprint`: whether a worker sees the data that the client sees.

dask.distributed is imported when a cluster is started, not with the package.
"""

from utils.errors import ClusterError

from .cluster import Cluster

__all__ = ["Cluster", "ClusterError"]
