"""Small sound files of each format, and how bytes are wrapped in them."""

import gzip
import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytensor
import pytensor.tensor as T

from logistic_sgd import LogisticRegression
from utils.training import checkpoint_file, model_file

X = np.arange(12, dtype=np.uint8).reshape(6, 1, 2) * 20
Y = np.array([0, 1, 2, 0, 1, 2], np.uint8)
ARRAYS = {"x_train": X, "y_train": Y, "x_test": X[:1], "y_test": Y[:1]}
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
WEIGHTS = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.ones(3, np.float32),
    "metadata": {
        **{"n_in": 2, "n_out": 3, "floatX": "float32", "dataset": "digits"},
        **{"trained_by": "minibatch SGD", "batch_size": 1, "epoch": 2},
        **{"validation_error": 0.25, "test_error": 0.25, "versions": {"numpy": "2"}},
    },
}


def assert_splits(loaded, expected):
    """The expected numbers, in arrays as `utils.datasets.load` promises them."""
    for (x, y), (expected_x, expected_y) in zip(loaded, expected, strict=True):
        np.testing.assert_array_equal(x, expected_x)
        np.testing.assert_array_equal(y, expected_y)
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.flags.c_contiguous and x.flags.aligned


def make_splits(sizes=(60, 30, 20), width=4, seed=0):
    """Three pairs of pixels, whole 256ths of float32, and labels from 0 to 2."""
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(0, 256, (n, width), np.uint8) / np.float32(256), np.arange(n) % 3)
        for n in sizes
    ]


def write_pickle(path, splits):
    """Write the tutorial's file, gzipped where the name ends so; its path."""
    raw = pickle.dumps(splits)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    return path


def idx_bytes(array):
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def write_idx(folder, arrays, suffix="", names=IDX_NAMES):
    """Write the four files of a dataset, gzipped where the suffix is ``.gz``."""
    folder.mkdir(exist_ok=True)
    for name, array in zip(names, arrays, strict=True):
        raw = idx_bytes(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(raw) if suffix else raw)
    return folder


def npy(header, elements=b""):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + elements


def npy_header(shape, descr="|u1"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return npy(text.encode())


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zip_bytes(members, method=zipfile.ZIP_STORED):
    """A zip of ``{name: bytes}``, the same at any time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def npz_bytes(changed=(), method=zipfile.ZIP_STORED):
    members = {f"{name}.npy": npy_bytes(array) for name, array in ARRAYS.items()}
    return zip_bytes(members | dict(changed), method)


def pickle_bytes(protocol=2):
    x = X[:, 0] / np.float32(256)
    return pickle.dumps(((x, Y), (x, Y), (x[:1], Y[:1])), protocol)


def model_bytes(W=WEIGHTS["W"], metadata=WEIGHTS["metadata"], b=0):
    """The file of a LogisticRegression of float32, as a run would write it."""
    with pytensor.config.change_flags(floatX="float32"):
        model = LogisticRegression(T.matrix("x"), *W.shape)
        model.metadata = model_file.describe(*W.shape, metadata)
    model.W.set_value(W)
    model.b.set_value(np.full(W.shape[1], b, "float32"))
    return model_file.dumps(model.__getstate__())


def saved_bytes(state):
    """The pickle of a model, of any state."""
    raw = pickle.dumps(state, 2)
    return b"\x80\x02clogistic_sgd\nLogisticRegression\n)\x81" + raw[2:-1] + b"b."


def checkpoint_content():
    history = dict.fromkeys(checkpoint_file.HISTORY, np.array([0.5, 0.25]))
    history |= {"epoch": np.array([1, 2]), "iter": np.array([0, 1])}
    return {
        "trained_by": "minibatch stochastic gradient descent",
        "arguments": {
            **{"learning_rate": 0.5, "n_epochs": 3, "dataset": "d.npz"},
            **{"batch_size": 1, "model": "best_model.pkl", "backend": "auto"},
        },
        "fingerprint": "6 + 6 + 1 examples of 2, 0123456789abcdef",
        "floatX": "float32",
        "versions": {"numpy": "2"},
        "state": {
            **{"patience": 5000.0, "patience_increase": 2},
            **{"improvement_threshold": 0.995, "epoch": 2, "iter": 1},
            **{"best_validation_loss": 0.25, "test_score": 0.25, "best_epoch": 2},
        },
        "history": history | {"seconds": np.array([0.5, 1.5])},
        "best_model": WEIGHTS | {"metadata": dict(WEIGHTS["metadata"])},
        "variables": {"W": WEIGHTS["W"], "rng": {"bit_generator": "PCG64"}},
        "graph": np.frombuffer(b"output 1: Neg", np.uint8),
        "evaluations": {},
    }


def checkpoint_tree():
    """A checkpoint's content with what says that it is one."""
    head = {"format": "checkpoint of logistic regression", "version": 2}
    return head | checkpoint_content()


def checkpoint_members(tree=None):
    """The members of a checkpoint, as its format is described: ``{name: bytes}``."""
    arrays = []

    def without_arrays(value):
        if isinstance(value, np.ndarray):
            arrays.append(npy_bytes(value))
            return {"array": len(arrays) - 1}
        if isinstance(value, (list, tuple)):
            return [without_arrays(inner) for inner in value]
        if isinstance(value, dict):
            return {name: without_arrays(inner) for name, inner in value.items()}
        return str(value) if isinstance(value, bytes) else value

    text = json.dumps(without_arrays(checkpoint_tree() if tree is None else tree))
    members = {f"{index}.npy": raw for index, raw in enumerate(arrays)}
    return {"content.json": text.encode()} | members


def checkpoint_bytes(changed=(), method=zipfile.ZIP_STORED):
    """A checkpoint, of which some members are other bytes."""
    return zip_bytes(checkpoint_members() | dict(changed), method)
