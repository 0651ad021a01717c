"""Write a large dataset in MNIST's files: real digits, shifted and slightly rotated.

    python benchmarks/make_large.py large --count 8100000
    python logistic_sgd.py --dataset large --n-epochs 1

The folder gets MNIST's four files, not gzipped, so that training maps them into memory.
The training images are real ones, drawn at random; each run of 256 of them is rotated
by at most 8 degrees and shifted by at most a fourteenth of the side, with bilinear
interpolation. The test images are the real ones. Without MNIST the digits of
scikit-learn are taken. The same seed gives the same files.
"""

import argparse
import struct
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from utils import datasets  # noqa: E402
from utils.datasets.idx import FILES  # noqa: E402

RUN = 256  # images that share a rotation and a shift
MOST_DEGREES = 8
MOST_SHIFT = 1 / 14


def distortion(side, degrees, shift):
    """The matrix that rotates and shifts flattened images.

    Parameters
    ----------
    side : int
        Rows and columns of an image.
    degrees : float
        Angle of the rotation around the image's centre.
    shift : (float, float)
        Rows and columns, in pixels.

    Returns
    -------
    scipy.sparse.csr_array, ``(side ** 2, side ** 2)``
        Images ``(n, side ** 2)`` are multiplied by it from the left. Each new pixel is
        the bilinear interpolation of four old ones; outside the image there is no ink.
    """
    angle, middle = np.deg2rad(degrees), (side - 1) / 2
    row, column = np.indices((side, side)).reshape(2, -1)
    v, u = row - middle - shift[0], column - middle - shift[1]
    old_row = np.cos(angle) * v - np.sin(angle) * u + middle
    old_column = np.sin(angle) * v + np.cos(angle) * u + middle
    top, left = np.floor(old_row).astype(int), np.floor(old_column).astype(int)
    below, right = old_row - top, old_column - left
    corners = [
        (top, left, (1 - below) * (1 - right)),
        (top, left + 1, (1 - below) * right),
        (top + 1, left, below * (1 - right)),
        (top + 1, left + 1, below * right),
    ]
    new = np.arange(side**2)
    matrix = sparse.csr_array((side**2, side**2), dtype=np.float32)
    for r, c, weight in corners:
        inside = (r >= 0) & (r < side) & (c >= 0) & (c < side)
        entries = weight[inside].astype(np.float32)
        places = (r[inside] * side + c[inside], new[inside])
        matrix += sparse.csr_array((entries, places), shape=matrix.shape)
    return matrix


def images_and_labels(splits):
    """Return two (x, y) pairs of bytes: training with validation examples, and test."""
    bytes_of = [
        x if x.dtype == np.uint8 else np.minimum(x * 256, 255).astype(np.uint8)
        for x, _ in splits
    ]
    labels = [y.astype(np.uint8) for _, y in splits]
    real = np.vstack(bytes_of[:2]), np.concatenate(labels[:2])
    return real, (bytes_of[2], labels[2])


def write_idx(path, shape, parts):
    """Write an IDX file of bytes, part by part."""
    magic = 0x0800 + len(shape)
    with open(path, "wb") as file:
        file.write(struct.pack(f">{1 + len(shape)}I", magic, *shape))
        for part in parts:
            file.write(np.ascontiguousarray(part))


def write(folder, count, seed, dataset):
    """Write the four files.

    Parameters
    ----------
    folder : pathlib.Path
    count : int
        Training images, including those that will be for validation.
    seed : int
    dataset : str
        Where the real digits come from; see `utils.datasets.load`.
    """
    real, test = images_and_labels(datasets.load(dataset, dtype="uint8"))
    images, labels = real
    side = round(images.shape[1] ** 0.5)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(images), count)

    def distorted():
        for start in range(0, count, RUN):
            degrees = rng.uniform(-MOST_DEGREES, MOST_DEGREES)
            shift = rng.uniform(-MOST_SHIFT, MOST_SHIFT, 2) * side
            some = images[drawn[start : start + RUN]].astype(np.float32)
            pixels = some @ distortion(side, degrees, shift)
            yield np.rint(pixels).astype(np.uint8)

    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / FILES[0], (count, side, side), distorted())
    write_idx(folder / FILES[1], (count,), [labels[drawn]])
    write_idx(folder / FILES[2], (len(test[0]), side, side), [test[0]])
    write_idx(folder / FILES[3], (len(test[1]),), [test[1]])


def main(arguments=None):
    """Write a dataset from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the four files are written")
    parser.add_argument("--count", type=int, default=8_100_000, help="training images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", help="the real digits (default: MNIST, or digits)")
    options = parser.parse_args(arguments)
    if options.count < 6:
        parser.error(f"--count is {options.count}: expected at least 6")
    dataset = options.dataset
    try:
        if dataset is None:
            dataset = datasets.find(datasets.MNIST)
    except datasets.MnistUnavailableError as error:
        print(f"{error} Taking digits instead.", file=sys.stderr)
        dataset = "digits"
    try:
        write(options.folder, options.count, options.seed, dataset)
    except (datasets.DatasetError, OSError) as error:
        print(f"make_large.py: error: {error}", file=sys.stderr)
        return 1
    print(f"{options.count:,} training images in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
