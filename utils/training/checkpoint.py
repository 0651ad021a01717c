"""The state of a training run: what is kept of it, and how it is gone on from."""

import hashlib
import os

import numpy as np
import pytensor

from utils.errors import CheckpointError
from utils.training import checkpoint_file
from utils.training.checkpoint_file import HISTORY

# A dataset is known by its fingerprint: its place may change.
MAY_CHANGE = {"n_epochs", "n_steps", "backend", "dataset", "model"}


def fingerprint(splits):
    """What tells one dataset from another, and can be read.

    Parameters
    ----------
    splits : list of three (x, y) pairs of shared variables
        As `logistic_sgd.load_data` returns them.

    Returns
    -------
    str
        The splits' sizes, the number of features, and a SHA-256 of all pixels and
        labels.
    """
    digest = hashlib.sha256()
    arrays = [array.get_value(borrow=True) for split in splits for array in split]
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8))
    sizes = " + ".join(str(len(x)) for x in arrays[::2])
    return f"{sizes} examples of {arrays[0].shape[1]}, {digest.hexdigest()[:16]}"


class Checkpoint:
    """Keeps a run's state in a file, and puts a kept one back.

    Parameters
    ----------
    path : str, os.PathLike or None
        The file to write; None writes none.
    resume : str, os.PathLike or None
        The file to go on from; None starts from zero.
    trained_by : str
        The training algorithm.
    splits : list of three (x, y) pairs of shared variables
        See `fingerprint`.
    arguments : dict
        The training function's arguments of `checkpoint_file.ARGUMENTS` that it has;
        those that are None are left out.

    Raises
    ------
    CheckpointError
        Where `resume` cannot be read, or is of a run that differs in what must be the
        same: all but `MAY_CHANGE`. Each difference is named.
    """

    def __init__(self, path, resume, trained_by, splits, **arguments):
        self.path, self.resume = path, resume
        self._run = {}
        if path is None and resume is None:
            return
        arguments = {
            name: checkpoint_file.ARGUMENTS[name](value)
            for name, value in arguments.items()
            if value is not None
        }
        model = arguments["model"]
        if path is not None and os.path.realpath(path) == os.path.realpath(model):
            raise CheckpointError(
                f"{path}: expected one file for the checkpoint and another for the "
                "best model, found the same: name another file for one of them."
            )
        self._run = {
            "trained_by": trained_by,
            "arguments": arguments,
            "fingerprint": None,
            "floatX": pytensor.config.floatX,
            "versions": {"numpy": np.__version__, "pytensor": pytensor.__version__},
        }
        self._kept = None if resume is None else checkpoint_file.read(resume)
        # Without the fingerprint first: data of another floatX are other data too.
        self._check_same()
        self._run["fingerprint"] = fingerprint(splits)
        self._check_same()

    def _check_same(self):
        """Raise unless the kept run is this one, as far as this one is known."""
        if self._kept is None:
            return
        here, there = _identity(self._run), _identity(self._kept)
        differences = [
            f"{name} is {here.get(name)}, in the checkpoint {there.get(name)}"
            for name in sorted(here | there)
            if here.get(name) != there.get(name)
        ]
        if self._run["fingerprint"] not in (None, self._kept["fingerprint"]):
            differences.append(
                f"dataset is {_dataset(self._run)}, in the checkpoint "
                f"{_dataset(self._kept)}"
            )
        if differences:
            raise CheckpointError(
                f"{self.resume}: expected a checkpoint of this run, found that of "
                f"another: {'; '.join(differences)}. Give what the checkpoint has, or "
                "leave it out; only the number of epochs or steps and the backend may "
                "change."
            )

    def restore(self, state, params, n_train_batches=None, replay=None):
        """Put the kept state, parameters and evaluations in the place of fresh ones.

        Parameters
        ----------
        state : utils.training.TrainingState
            A fresh one; with nothing to resume from it stays so.
        params : list of shared variables
            What the training changes.
        n_train_batches : int, optional
            Objective of an epoch, for a loop that counts an epoch when it begins.
        replay : utils.training.replay.Replay, optional

        Raises
        ------
        CheckpointError
            Where the file does not fit them.
        """
        self._params, self._replay = params, replay
        if self.resume is None:
            return
        kept = self._kept
        numbers = {name: type(v) for name, v in _numbers(state).items()}
        found = {name: type(v) for name, v in kept["state"].items()}
        shapes = [param.get_value(borrow=True).shape for param in params]
        kept_shapes = [value.shape for value in kept["params"]]
        size = sum(param.get_value(borrow=True).size for param in params)
        kept_size = kept["best_model"]["W"].size + kept["best_model"]["b"].size
        for here, there in [
            (numbers, found),
            (shapes, kept_shapes),
            (size, kept_size),
        ]:
            if here != there:
                raise CheckpointError(
                    f"{self.resume}: expected a state that holds {here}, found "
                    f"{there}: it is of another model, or another version of the "
                    "program."
                )
        vars(state).update(kept["state"])
        history = (kept["history"][name].tolist() for name in HISTORY)
        state.history = list(zip(*history, strict=True))
        state.best_model = kept["best_model"]
        if n_train_batches and not state.out_of_patience:
            state.epoch = (state.iter + 1) // n_train_batches
        for param, value in zip(params, kept["params"], strict=True):
            # With NumPy's own dtype object, not the file's: so pickles are the same.
            param.set_value(value.view(param.dtype))
        if replay is not None:
            replay.restore(kept["evaluations"], state.epoch, self.resume)

    def content(self, state):
        """The bytes of the file that keeps `state`, with the parameters of now."""
        columns = zip(*state.history, strict=True)
        replay = self._replay
        return checkpoint_file.dumps(
            self._run
            | {
                "state": _numbers(state),
                "history": {
                    name: np.array(column)
                    for name, column in zip(HISTORY, columns, strict=True)
                },
                "best_model": state.best_model,
                "params": [param.get_value(borrow=True) for param in self._params],
                "evaluations": replay.recorded() if replay else {},
            }
        )


def _numbers(state):
    """The numbers of a training state, as Python's own, but for its arguments."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(state).items()
        if isinstance(value, (int, float, np.generic)) and name != "n_steps"
    }


def _identity(run):
    """What a resumed run must share with the one that wrote the checkpoint."""
    arguments = run["arguments"]
    same = {name: v for name, v in arguments.items() if name not in MAY_CHANGE}
    return same | {
        "training": run["trained_by"],
        "end of the run": "n_steps" if "n_steps" in arguments else "patience",
        "floatX": run["floatX"],
    }


def _dataset(run):
    return f"{run['arguments'].get('dataset')} ({run['fingerprint']})"
