"""Time a training step of losses that are written in another way than the lesson's.

Prints the median time of each over that of the lesson's own, on the shapes of MNIST.

    python benchmarks/forms.py [backend]
"""

import sys
import time
from pathlib import Path
from unittest import mock

import growth_point
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pytensor
import pytensor.tensor as T

from logistic_sgd import LogisticRegression, scaled
from utils import backends

N, N_IN, N_OUT, BATCH_SIZE, ROUNDS = 6000, 784, 10, 600, 400

# Each gives the cost, and what else the function returns, of a classifier, the log
# probabilities of the labels, and these.
FORMS = {
    "as in the lesson": lambda c, log_p, y: [c.negative_log_likelihood(y)],
    "mean(-log p)": lambda c, log_p, y: [T.mean(-log_p)],
    "-sum / n": lambda c, log_p, y: [-T.sum(log_p) / y.shape[0]],
    "sum": lambda c, log_p, y: [-T.sum(log_p)],
    "2 * loss": lambda c, log_p, y: [2 * c.negative_log_likelihood(y)],
    "log(p[rows, y])": lambda c, log_p, y: [
        -T.mean(T.log(c.p_y_given_x[T.arange(y.shape[0]), y]))
    ],
    "2 * loss + L2": lambda c, log_p, y: [
        2 * c.negative_log_likelihood(y) + 0.0001 * (c.W**2).sum()
    ],
    "W and b without static shape": lambda c, log_p, y: [c.negative_log_likelihood(y)],
    "and errors": lambda c, log_p, y: [c.negative_log_likelihood(y), c.errors(y)],
    "and predictions": lambda c, log_p, y: [c.negative_log_likelihood(y), c.y_pred],
    "and probabilities": lambda c, log_p, y: [
        c.negative_log_likelihood(y),
        c.p_y_given_x,
    ],
}


def in_theano_manner(x):
    """The same classifier, with variables as the Theano tutorial writes them."""
    with mock.patch("logistic_sgd.shared_parameter", pytensor.shared):
        return LogisticRegression(x, N_IN, N_OUT)


def training_step(name, mode):
    """Compile a step of SGD on bytes with as many zeros as MNIST's."""
    rng = np.random.default_rng(0)
    data = pytensor.shared(growth_point.images(rng, N, N_IN, zeros=0.81))
    labels = pytensor.shared(rng.integers(0, N_OUT, N).astype("int32"))
    index, x, y = T.lscalar(), T.fmatrix(), T.ivector()
    classifier = LogisticRegression(x, N_IN, N_OUT)
    if "without" in name:
        classifier = in_theano_manner(x)
    log_p = T.log(classifier.p_y_given_x)[T.arange(y.shape[0]), y]
    cost, *others = FORMS[name](classifier, log_p, y)
    updates = [(v, v - 0.13 * T.grad(cost, v)) for v in classifier.params]
    batch = slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)
    return pytensor.function(
        [index],
        [cost, *others],
        updates=updates,
        givens={x: scaled(data[batch]), y: labels[batch]},
        mode=mode,
    )


def main():
    pytensor.config.floatX = "float32"
    mode = backends.compilation_mode(*sys.argv[1:])
    steps = {name: training_step(name, mode) for name in FORMS}
    times = {name: [] for name in FORMS}
    for i in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step(i % (N // BATCH_SIZE))
            times[name].append(time.perf_counter() - start)
    first, *_ = medians = [np.median(taken) for taken in times.values()]
    for name, median in zip(FORMS, medians, strict=True):
        print(f"{name:30}{median * 1e6:8.1f} µs{median / first:8.2f}")


if __name__ == "__main__":
    main()
