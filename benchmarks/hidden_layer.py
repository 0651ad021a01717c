"""Steps of a hidden layer, 784-500-10 with tanh, beside NumPy by hand.

    python benchmarks/hidden_layer.py --dataset mnist.pkl.gz

trains the MLP of docs/changing.md on minibatches of 20 and of 600 with the mode of
`--backend`, in turn with benchmarks/peers/numpy_mlp.py in the same process. What is
printed are medians, in microseconds a step, and the ratio of NumPy's to ours: above 1
ours is faster.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["PYTENSOR_FLAGS"] = "floatX=float32," + os.environ.get("PYTENSOR_FLAGS", "")
FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER / "peers")]

import numpy as np  # noqa: E402
import pytensor  # noqa: E402
import pytensor.tensor as T  # noqa: E402
from numpy_mlp import LEARNING_RATE, MLP  # noqa: E402

from logistic_sgd import (  # noqa: E402
    LogisticRegression,
    load_data,
    scaled,
    shared_parameter,
)
from utils import backends  # noqa: E402

N_HIDDEN = 500


def compiled_step(peer, data_x, data_y, batch_size, mode):
    """Compile `train_model` on copies of the peer's parameters."""
    index, x, y = T.lscalar("index"), T.matrix("x"), T.ivector("y")
    W = shared_parameter(peer.W_hidden.copy(), "W_hidden")
    b = shared_parameter(peer.b_hidden.copy(), "b_hidden")
    hidden = T.tanh(T.dot(x, W) + b)
    classifier = LogisticRegression(hidden, N_HIDDEN, len(peer.top.b))
    cost = classifier.negative_log_likelihood(y)
    params = [W, b, *classifier.params]
    minibatch = slice(index * batch_size, (index + 1) * batch_size)
    return pytensor.function(
        [index],
        cost,
        updates=[(p, p - LEARNING_RATE * T.grad(cost, p)) for p in params],
        givens={x: scaled(data_x[minibatch]), y: data_y[minibatch]},
        mode=mode,
    )


def seconds_a_step(step, n_batches, duration):
    """Run steps for about `duration` seconds; return the mean time of one."""
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < duration:
        step(steps % n_batches)
        steps += 1
    return elapsed / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="mnist.pkl.gz")
    parser.add_argument("--backend", default="c", choices=backends.BACKENDS)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    mode = backends.compilation_mode(arguments.backend)
    data_x, data_y = load_data(arguments.dataset, dtype="uint8")[0]
    images = scaled(data_x).eval(mode=mode)  # NumPy gets its floats ready-made
    labels = data_y.get_value(borrow=True)

    for batch_size in (20, 600):
        n_batches = len(images) // batch_size
        peer = MLP(images.shape[1], N_HIDDEN, labels.max() + 1, batch_size)
        ours = compiled_step(peer, data_x, data_y, batch_size, mode)

        def numpy_step(i, peer=peer, batch_size=batch_size):
            minibatch = slice(i * batch_size, (i + 1) * batch_size)
            return peer.step(images[minibatch], labels[minibatch])

        for i in range(10):  # the same losses, or the comparison means nothing
            np.testing.assert_allclose(ours(i), numpy_step(i), rtol=1e-4)
        rounds = [
            [seconds_a_step(step, n_batches, 0.4) for step in (numpy_step, ours)]
            for _ in range(arguments.rounds)
        ]
        theirs, own = (statistics.median(t) for t in zip(*rounds, strict=True))
        print(
            f"batch {batch_size}: NumPy {theirs * 1e6:.0f} µs, {arguments.backend} "
            f"{own * 1e6:.0f} µs, ratio {theirs / own:.2f}"
        )


if __name__ == "__main__":
    main()
