"""Time a training step on data of 0 to 100 % zeros: this program, NumPy, dense C.

The tutorial's shapes, minibatch and data type. All take their steps in turn, each on
the whole training set from memory, and the medians are compared.

    python benchmarks/density.py
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import growth_point
import measuring
import numpy as np
import programs

sys.path.insert(0, str(programs.PEERS))

from lesson import write_raw  # noqa: E402
from numpy_sgd import SoftmaxRegression  # noqa: E402

ZEROS = (0, 25, 50, 75, 81, 90, 100)  # percent
EPOCHS = 5  # in a row, of each
# Of before this project sets how long OpenMP's threads wait.
ENVIRONMENT = dict(os.environ)


def dense_c(program, x, y, folder):
    """Return a function that gives the seconds of a step of `handwritten.c`."""
    data = folder / "data.raw"
    few = x[: growth_point.Point.minibatch], y[: growth_point.Point.minibatch]
    write_raw([(x, y), few, few], data)
    n_steps = len(y) // growth_point.Point.minibatch

    def seconds():
        command = [program, str(data), str(EPOCHS)]
        output = programs.run_quietly(command, env=ENVIRONMENT)
        speed = measuring.number(measuring.EPOCHS_PER_SECOND, output, command)
        return 1 / (speed * n_steps)

    return seconds


def in_blocks(step, n_minibatches):
    """Return a function that gives the seconds of a step, over `EPOCHS` epochs."""
    n_steps = EPOCHS * n_minibatches
    return lambda: growth_point.block_seconds(step, n_steps, 0, n_minibatches)


def table(results):
    """Return the Markdown table of ``{zeros: {program: seconds of a step}}``."""
    header = ["zeros, %", "bytes, ms a step", "floats, ms"]
    header += ["NumPy / bytes", "NumPy / floats", "dense C / bytes", "dense C / floats"]
    rows = [header, ["---:"] * len(header)]
    for zeros, seconds in results.items():
        ours = [seconds["bytes"], seconds["floats"]]
        peers = [seconds["NumPy"], seconds["dense C"]]
        cells = [f"{1e3 * t:.3f}" for t in ours]
        cells += [f"{peer / t:.2f}" for peer in peers for t in ours]
        rows.append([str(zeros), *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="(default: %(default)s)")
    options = parser.parse_args()

    import pytensor

    sys.path.insert(0, str(programs.ROOT))
    from utils import backends

    pytensor.config.floatX = "float32"
    point = growth_point.Point()
    shape = point.examples, point.features
    rng = np.random.default_rng(1)
    y = rng.integers(point.classes, size=point.examples, dtype=np.int32)
    shared = {
        "bytes": pytensor.shared(np.zeros(shape, np.uint8)),
        "floats": pytensor.shared(np.zeros(shape, np.float32)),
    }
    mode = backends.compilation_mode("c")
    steps = {
        name: growth_point.training_step(point, x, pytensor.shared(y), mode)
        for name, x in shared.items()
    }
    by_hand = SoftmaxRegression(point.features, point.classes, point.minibatch)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        program = programs.compile_handwritten(Path(folder))
        for zeros in ZEROS:
            x = growth_point.images(rng, *shape, zeros / 100)
            shared["bytes"].set_value(x, borrow=True)
            x = np.divide(x, 256, dtype=np.float32)
            shared["floats"].set_value(x, borrow=True)

            def numpy_step(i, x=x):
                rows = slice(i * point.minibatch, (i + 1) * point.minibatch)
                by_hand.step(x[rows], y[rows])

            n = point.examples // point.minibatch
            ways = {name: in_blocks(step, n) for name, step in steps.items()}
            ways["NumPy"] = in_blocks(numpy_step, n)
            ways["dense C"] = dense_c(program, x, y, Path(folder))
            times = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, seconds in ways.items():
                    time.sleep(growth_point.PAUSE_SECONDS)
                    times[name].append(seconds())
            results[zeros] = {name: median(values) for name, values in times.items()}
    print(table(results))


if __name__ == "__main__":
    main()
