"""Cost and gain of a cluster of processes on this machine, for one evaluation.

Workers of one thread take turns as one and as two, on the shards of one dataset; then
the same on a set so small that nearly all of the time is overhead.

    python benchmarks/make_large.py large --count 600000
    python benchmarks/cluster.py large
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import pytensor  # noqa: E402

from logistic_cg import compile_functions  # noqa: E402
from logistic_sgd import load_data  # noqa: E402
from utils.training.cluster import Cluster  # noqa: E402
from utils.training.cluster.objective import ClusterObjective  # noqa: E402
from utils.training.hyperparameters import minibatch_counts  # noqa: E402

SHARDS = 2


def ready(cluster, dataset, batch_size):
    """Put a dataset on the cluster's workers, ready for evaluations."""
    splits = load_data(dataset, dtype="uint8")
    _, *n_batches = minibatch_counts(
        [len(x.get_value(borrow=True)) for x, _ in splits], batch_size
    )
    return ClusterObjective(
        cluster,
        load_data,
        compile_functions,
        dataset=dataset,
        splits=splits,
        n_in=splits[0][0].get_value(borrow=True).shape[1],
        n_out=int(splits[0][1].get_value(borrow=True).max()) + 1,
        batch_size=batch_size,
        n_batches=n_batches,
        shards=SHARDS,
        backend="auto",
        notify=lambda line: None,
    )


def seconds(objective):
    """Return the seconds of one evaluation at a new point, with training's sums."""
    n_parameters = objective.theta.get_value(borrow=True).size
    objective.set_theta(np.random.default_rng().normal(0, 0.01, n_parameters))
    begin = time.perf_counter()
    gradient = sum(gradient for _, _, gradient in objective.costs_and_gradients())
    assert np.isfinite(gradient).all()
    return time.perf_counter() - begin


def write_small(folder):
    """A dataset with MNIST's 784 pixels and 10 classes, of 100 + 20 + 20 images."""
    rng = np.random.default_rng(1)
    for name, n in ("train", 120), ("test", 20):
        np.save(folder / f"x_{name}.npy", rng.integers(0, 256, (n, 784), np.uint8))
        np.save(folder / f"y_{name}.npy", np.arange(n, dtype=np.uint8) % 10)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", help="a folder of plain IDX or .npy files")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pytensor.config.floatX = "float64"
    with (
        Cluster(workers=1) as one,
        Cluster(workers=2) as two,
        tempfile.TemporaryDirectory() as folder,
    ):
        small = write_small(Path(folder))
        for name, *data in ("small", small, 10), ("large", options.dataset, 600):
            crews = [ready(cluster, *data) for cluster in (one, two)]
            for crew in crews:
                seconds(crew)
            turns = [[seconds(crew) for crew in crews] for _ in range(options.turns)]
            for workers, times in zip((1, 2), zip(*turns, strict=True), strict=True):
                print(
                    f"{name}: {workers} of one thread: median {1e3 * median(times):.2f}"
                    f" ms an evaluation, fastest {1e3 * min(times):.2f} ms"
                )
            ratio = median(a / b for a, b in turns)
            print(f"{name}: 1 / 2 workers, median of turns: {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
