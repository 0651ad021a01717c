"""Each reader of strangers' files, as the tests that damage files see it.

A reader takes one file's bytes; the other files of its dataset, and the wrapping that
a checksum protects, are sound. So what is damaged is what the reader sees.
"""

import gzip
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import small_files
from small_files import (
    ARRAYS,
    IDX_NAMES,
    X,
    Y,
    checkpoint_bytes,
    checkpoint_content,
    checkpoint_members,
    idx_bytes,
    model_bytes,
    npy_bytes,
    npz_bytes,
    pickle_bytes,
)

from logistic_sgd import LogisticRegression
from utils.datasets import DatasetError, streams
from utils.datasets import load as load_dataset
from utils.training import checkpoint_file, model_file
from utils.training.checkpoint_file import CheckpointError
from utils.training.model_file import ModelFileError


def check_splits(splits, raw):
    """Three (x, y) pairs that fit together, as `utils.datasets.load` promises."""
    assert len(splits) == 3
    assert len({x.shape[1] for x, _ in splits}) == len({x.dtype for x, _ in splits})
    for x, y in splits:
        assert x.ndim == 2 and y.shape == (len(x),) and x.size
        assert x.dtype in ("float32", "float64") and y.dtype == "int32"
        assert x.flags.c_contiguous and x.flags.aligned and np.isfinite(x).all()
        assert 0 <= y.min() and y.max() <= splits[0][1].max()


def check_idx(splits, raw):
    """What was the training images' file has their pixels, 16 bytes from its start."""
    check_splits(splits, raw)
    # What a file is, its first bytes tell, not its name.
    raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    pixels = np.concatenate([splits[0][0], splits[1][0]])
    assert (pixels * 256).astype(np.uint8).tobytes() == raw[16:]


def check_inflated(inflated, raw):
    assert inflated == gzip.decompress(raw)


def check_model(model, raw):
    W, b = (param.get_value() for param in model.params)
    assert W.ndim == 2 and b.shape == (W.shape[1],) and W.size
    assert W.dtype == b.dtype and W.dtype in ("float32", "float64")
    assert np.isfinite(W).all() and np.isfinite(b).all()
    assert type(model.metadata) is dict and repr(model.metadata)
    assert (model.metadata.get("dataset") == "digits") in (True, False)


def check_checkpoint(content, raw):
    sound = checkpoint_content()
    for part, example in sound.items():
        assert type(content[part]) is type(example), part
    for value in (*content["state"].values(), *content["arguments"].values()):
        assert type(value) in (int, float, str)
    assert list(content["history"]) == list(sound["history"])
    assert len({column.shape for column in content["history"].values()}) == 1
    assert content["state"]["epoch"] == content["history"]["epoch"][-1] < 2**40
    if best := content["best_model"]:
        assert best["W"].ndim == 2 and best["b"].shape == best["W"].shape[1:]
        assert best["W"].dtype == best["b"].dtype in ("float32", "float64")
        assert np.isfinite(best["W"]).all() and best["metadata"]["batch_size"] > 0
    for value in content["variables"].values():
        assert type(value) in (np.ndarray, dict)


def write_idx(folder, raw, index=0, suffix=""):
    """A folder of IDX files, of which `raw` is the one of that index."""
    folder = folder / f"idx{index}{suffix}"
    if not folder.exists():
        small_files.write_idx(folder, ARRAYS.values())
        (folder / IDX_NAMES[index]).unlink()
    (folder / (IDX_NAMES[index] + suffix)).write_bytes(raw)
    return folder


def inflate(path):
    """All that `open_stream` gives."""
    with streams.open_stream(path) as (stream, size):
        return stream.read(size + 1)


def written(name, wrap=bytes):
    """A function that writes bytes, wrapped, to a file of that name in a folder."""

    def write(folder, raw):
        path = folder / name
        path.write_bytes(wrap(raw))
        return path

    return write


def in_npz(member, method=zipfile.ZIP_STORED):
    return lambda raw: npz_bytes({member + ".npy": raw}, method)


@dataclass(frozen=True)
class Reader:
    """A reader, and what it is given and promises."""

    seed: bytes  # a small file, or what is wrapped in one, that it reads
    write: Callable  # `write(folder, raw)` writes such bytes; returns the path to read
    read: Callable = load_dataset  # `read(path)`
    error: type = DatasetError  # the one exception that it may raise
    check: Callable = check_splits  # `check(result, raw)` asserts what is promised

    def try_bytes(self, folder, raw):
        """Whether `raw` is read, soundly; False where it is refused."""
        path = self.write(folder, raw)
        try:
            result = self.read(path)
        except self.error as error:
            assert str(path) in str(error) and len(str(error)) < 2000
            return False
        self.check(result, raw)
        return True


def _model(wrap=bytes):
    return (
        written("m.pkl", wrap),
        partial(model_file.load, cls=LogisticRegression),
        ModelFileError,
        check_model,
    )


def _checkpoint(wrap=bytes):
    read = checkpoint_file.read
    return written("run.ckpt", wrap), read, CheckpointError, check_checkpoint


def _in_checkpoint(member):
    return lambda raw: checkpoint_bytes({member: raw})


# What is behind gzip's or zip's CRC-32 is damaged before it is wrapped, too.
READERS = {
    "idx": {
        "images": Reader(idx_bytes(X), write_idx, check=check_idx),
        "labels": Reader(idx_bytes(Y), partial(write_idx, index=1)),
        "test_images": Reader(idx_bytes(X[:1]), partial(write_idx, index=2)),
        "gzipped": Reader(
            gzip.compress(idx_bytes(X), mtime=0), partial(write_idx, suffix=".gz")
        ),
    },
    "gzip": {
        "stream": Reader(
            gzip.compress(b"0 " * 9, mtime=0) * 2,
            written("a.gz"),
            inflate,
            check=check_inflated,
        ),
        "whole": Reader(gzip.compress(pickle_bytes(), mtime=0), written("a.pkl.gz")),
        "inside": Reader(
            pickle_bytes(), written("b.pkl.gz", partial(gzip.compress, compresslevel=1))
        ),
    },
    "pickle": {
        f"protocol_{protocol}": Reader(pickle_bytes(protocol), written("a.pkl"))
        for protocol in range(6)
    },
    "npz": {
        "whole": Reader(npz_bytes(), written("a.npz")),
        "deflated": Reader(npz_bytes((), zipfile.ZIP_DEFLATED), written("a.npz")),
        "images": Reader(npy_bytes(X), written("a.npz", in_npz("x_train"))),
        "labels": Reader(
            npy_bytes(Y), written("a.npz", in_npz("y_train", zipfile.ZIP_DEFLATED))
        ),
    },
    "model": {"whole": Reader(model_bytes(), *_model())},
    "checkpoint": {
        "whole": Reader(checkpoint_bytes(), *_checkpoint()),
        "json": Reader(
            checkpoint_members()["content.json"],
            *_checkpoint(_in_checkpoint("content.json")),
        ),
        "array": Reader(
            checkpoint_members()["0.npy"], *_checkpoint(_in_checkpoint("0.npy"))
        ),
    },
}
# By the name of the group and of the way.
WAYS = {
    f"{group}-{name}": reader
    for group, ways in READERS.items()
    for name, reader in ways.items()
}
