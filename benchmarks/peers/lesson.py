"""Parts shared by the peer programs: data file, patience rule, printed lines.

Each peer brings three functions (train some minibatches, validation error, test
error) and leaves the rest to `train`, so that the programs differ in nothing but
the library that does the arithmetic. NumPy and the standard library are all that
is needed here.
"""

import argparse
import gzip
import os
import pickle
import sys
import time
from pathlib import Path

import numpy as np

BATCH_SIZE = 600
LEARNING_RATE = 0.13
N_EPOCHS = 1000
PATIENCE = 5000
IMPROVEMENT_THRESHOLD = 0.995

# Where NumPy's own pickles name the three callables that rebuild an array: Python 2
# and NumPy 1 wrote numpy.core, NumPy 2 writes numpy._core.
ARRAY_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and refuses every other global."""

    def find_class(self, module, name):
        if (module, name) not in ARRAY_GLOBALS:
            raise pickle.UnpicklingError(
                f"the file asks for {module}.{name}; expected NumPy arrays only"
            )
        return super().find_class(module, name)


def read_idx(folder, stem):
    """Read one IDX file, gzipped or not, as an array of its unsigned bytes.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that holds the file.
    stem : str
        The file's name without ``.gz``, as in ``train-images-idx3-ubyte``.

    Returns
    -------
    numpy.ndarray of uint8
        The shape is the one that the header gives.
    """
    packed = folder / f"{stem}.gz"
    if packed.exists():
        data = gzip.decompress(packed.read_bytes())
    else:
        data = (folder / stem).read_bytes()
    # Byte 3 holds the number of dimensions; as many big-endian int32 follow.
    n_dimensions = data[3]
    shape = np.frombuffer(data, ">i4", n_dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)


def load_data(dataset, dtype=np.float32):
    """Read MNIST from `mnist.pkl.gz` or from a folder of its four IDX files.

    Parameters
    ----------
    dataset : str or os.PathLike
        The file or the folder.
    dtype : dtype, default float32
        The type of the pixels.

    Returns
    -------
    list of three (x, y)
        Training, validation and test: `x` ``(n, 784)`` of `dtype`, pixels
        ``byte / 256``; `y` ``(n,)`` int32.
    """
    dataset = Path(dataset)
    if dataset.is_dir():
        splits = []
        for part in ("train", "t10k"):
            images = read_idx(dataset, f"{part}-images-idx3-ubyte")
            x = np.divide(images.reshape(len(images), -1), 256, dtype=dtype)
            y = read_idx(dataset, f"{part}-labels-idx1-ubyte").astype(np.int32)
            splits.append((x, y))
        (x, y), test = splits
        return [(x[:50000], y[:50000]), (x[50000:], y[50000:]), test]
    with gzip.open(dataset) as file:
        # Python 2 wrote the file: its byte strings come through as latin1.
        splits = ArrayUnpickler(file, encoding="latin1").load()
    return [(x.astype(dtype, copy=False), y.astype(np.int32)) for x, y in splits]


def whole_minibatches(x, y):
    """Leave out the examples past the last full minibatch, as the tutorial does."""
    n_examples = len(x) // BATCH_SIZE * BATCH_SIZE
    return x[:n_examples], y[:n_examples]


def argument_parser(description):
    """Return a parser with the one option that every peer takes, `--dataset`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--dataset",
        default="mnist.pkl.gz",
        help="mnist.pkl.gz or a folder of the four IDX files (default: %(default)s)",
    )
    return parser


def dataset_argument(description):
    """Return the dataset that the command line names."""
    return argument_parser(description).parse_args().dataset


def thread_count():
    """Return how many threads the BLAS and OpenMP pools take unless told otherwise."""
    if hasattr(os, "sched_getaffinity"):
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = os.cpu_count() or 1
    return int(os.environ.get("OMP_NUM_THREADS") or n_cores)


def report_setup(versions, n_threads=None):
    """Tell standard error the versions and the thread count, for `compare.py`."""
    n_threads = thread_count() if n_threads is None else n_threads
    print(f"setup: {versions}, {n_threads} threads", file=sys.stderr)


def write_raw(splits, output):
    """Write splits as `handwritten.c` reads them, in the machine's byte order.

    Four int32: features, training, validation and test examples; then for each split
    the images, float32, and the labels, int32. Whole minibatches only.
    """
    splits = [whole_minibatches(x, y) for x, y in splits]
    header = [splits[0][0].shape[1], *(len(y) for _, y in splits)]
    with open(output, "wb") as file:
        np.array(header, np.int32).tofile(file)
        for x, y in splits:
            x.tofile(file)
            y.tofile(file)


def train(train_minibatches, validation_error, test_error, n_train_batches):
    """Train under the tutorial's patience rule and print the tutorial's lines.

    Parameters
    ----------
    train_minibatches : callable
        Takes `n` and trains on the first `n` minibatches of the training set. `n`
        is `n_train_batches` but in the epoch in which the patience runs out.
    validation_error, test_error : callable
        Take nothing, return the fraction of wrong labels, 0 to 1.
    n_train_batches : int
        Minibatches in an epoch; at most ``PATIENCE // 2``, so that validation comes
        once an epoch, at its end.
    """
    patience = PATIENCE
    best_validation_error = np.inf
    best_test_error = np.nan
    n_seen = 0
    epoch = 0
    start_time = time.perf_counter()
    while epoch < N_EPOCHS and patience > n_seen - 1:
        epoch += 1
        # The minibatch of number `patience` is the last one, counted from 0.
        n_minibatches = min(n_train_batches, patience + 1 - n_seen)
        train_minibatches(n_minibatches)
        n_seen += n_minibatches
        if n_minibatches < n_train_batches:
            break
        error = validation_error()
        place = f"epoch {epoch}, minibatch {n_train_batches}/{n_train_batches}"
        print(f"{place}, validation error {error * 100:f} %")
        if error < best_validation_error:
            if error < best_validation_error * IMPROVEMENT_THRESHOLD:
                patience = max(patience, (n_seen - 1) * 2)
            best_validation_error = error
            best_test_error = test_error()
            print(f"     {place}, test error of best model {best_test_error * 100:f} %")
    seconds = time.perf_counter() - start_time
    print(
        "Optimization complete with best validation score of "
        f"{best_validation_error * 100:f} %,"
        f"with test performance {best_test_error * 100:f} %"
    )
    print(f"The code run for {epoch} epochs, with {epoch / seconds:f} epochs/sec")


if __name__ == "__main__":
    parser = argument_parser("Write MNIST as handwritten.c reads it.")
    parser.add_argument("--output", required=True, help="the file to write")
    arguments = parser.parse_args()
    write_raw(load_data(arguments.dataset), arguments.output)
