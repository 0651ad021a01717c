"""Time one training step at one shape, fused and plain: a child of `growth.py`."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
LEARNING_RATE = 0.13
MNIST_ZEROS = 0.81
ROUNDS = 7
BLOCK_SECONDS = 0.1
# OpenMP's and OpenBLAS's threads keep spinning for some time after their work; one
# pool's spinning would be counted as the other's time.
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Point:
    """One shape of training; the defaults are the tutorial's."""

    examples: int = 50_000
    features: int = 784
    classes: int = 10
    minibatch: int = 600
    threads: int = 0  # 0: what the machine and OMP_NUM_THREADS give

    @property
    def data_size(self):
        """Bytes of the images, one a pixel."""
        return self.examples * self.features


def images(rng, n, n_features, zeros):
    """Bytes of which the share `zeros`, 0 to 1, is 0.

    The zeros lie in runs, as between the strokes of a digit: with MNIST's 81 % as many
    blocks of eight hold some ink as in MNIST, four in ten. There are at most 10,000
    different images.
    """
    import numpy as np

    n_drawn = min(n, 10_000)
    pixels = rng.integers(1, 256, (n_drawn, n_features), np.uint8)
    run = 14
    sums = rng.random((n_drawn, n_features + run)).cumsum(axis=1)
    ink = sums[:, run:] - sums[:, :-run]
    pixels[ink < (np.quantile(ink, zeros) if zeros < 1 else np.inf)] = 0
    return pixels[np.arange(n) % n_drawn]


def training_step(point, train_set_x, train_set_y, mode):
    """Compile the tutorial's `train_model` for `mode`, with parameters of its own."""
    import pytensor
    import pytensor.tensor as T

    from logistic_sgd import LogisticRegression, scaled

    index, x, y = T.lscalar("index"), T.matrix("x"), T.ivector("y")
    classifier = LogisticRegression(x, n_in=point.features, n_out=point.classes)
    cost = classifier.negative_log_likelihood(y)
    rate = T.constant(LEARNING_RATE, dtype="float32")
    minibatch = slice(index * point.minibatch, (index + 1) * point.minibatch)
    return pytensor.function(
        [index],
        cost,
        updates=[
            (param, param - rate * gradient)
            for param, gradient in zip(
                classifier.params, T.grad(cost, classifier.params), strict=True
            )
        ],
        givens={x: scaled(train_set_x[minibatch]), y: train_set_y[minibatch]},
        mode=mode,
    )


def block_seconds(step, n_steps, first, n_minibatches):
    """Return the seconds a step takes, over `n_steps` minibatches from `first` on."""
    # Wakes the thread pool and is not timed.
    step(first % n_minibatches)
    start = time.perf_counter()
    for i in range(first + 1, first + 1 + n_steps):
        step(i % n_minibatches)
    return (time.perf_counter() - start) / n_steps


def measure(point, backend):
    """Return the median seconds of one step, and whether the rewrite fused it.

    Returns
    -------
    dict
        ``{"plain": float, "fused": float, "fires": bool}``.
    """
    import numpy as np
    import pytensor

    sys.path.insert(0, str(ROOT))
    from utils import backends
    from utils.backends.fusion.c_op import SoftmaxRegression
    from utils.backends.fusion.rewriting import TAG

    pytensor.config.floatX = "float32"
    rng = np.random.default_rng(1)
    x = images(rng, point.examples, point.features, MNIST_ZEROS)
    y = rng.integers(point.classes, size=point.examples, dtype=np.int32)
    data = pytensor.shared(x, borrow=True), pytensor.shared(y, borrow=True)
    mode = backends.compilation_mode(backend)
    modes = {"plain": mode.excluding(TAG), "fused": mode}
    steps = {name: training_step(point, *data, m) for name, m in modes.items()}

    n_minibatches = point.examples // point.minibatch
    n_steps = {}
    for name, step in steps.items():
        step(0)  # Numba compiles at the first call.
        seconds = block_seconds(step, 1, 0, n_minibatches)
        n_steps[name] = max(1, min(10_000, round(BLOCK_SECONDS / seconds)))
    times = {name: [] for name in steps}
    position = 0
    for _ in range(ROUNDS):
        for name, step in steps.items():
            time.sleep(PAUSE_SECONDS)
            # Each block reads on where the last one ended, not from cache.
            block = block_seconds(step, n_steps[name], position, n_minibatches)
            times[name].append(block)
            position += n_steps[name] + 1
    nodes = steps["fused"].maker.fgraph.apply_nodes
    fires = any(isinstance(node.op, SoftmaxRegression) for node in nodes)
    return {name: median(values) for name, values in times.items()} | {"fires": fires}


if __name__ == "__main__":
    backend, point = sys.argv[1:]
    print(json.dumps(measure(Point(**json.loads(point)), backend)))
