"""Cost, gradient and errors, computed by the processes of a dask.distributed cluster.

The training set is split into shards, each of consecutive minibatches. Each worker
process maps the data from the path that all machines share, and keeps its rows and its
compiled functions between evaluations; 63 kB of parameters go to it and 63 kB of
gradient come back. The shards' sums are added in their order, so that the number of
shards, and not that of workers, decides the last digit.

- `cluster`: the processes, here or at a scheduler's address.
- `shards`: splits minibatches into shards, and shards among workers.
- `objective`: the cost and its gradient, as training asks for them.
- `pool`: the workers that are ready; others do the part of a lost one.
- `worker`: the work of one process.
- `processes`: worker processes on this machine, and the event loop's thread.

dask.distributed is imported when a cluster is started, not with the package.
"""

from utils.errors import ClusterError

from .cluster import Cluster

__all__ = ["Cluster", "ClusterError"]
