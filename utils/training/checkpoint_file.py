"""A checkpoint's file: one zip of JSON and arrays, read without running code.

Its member ``content.json`` holds the parts that `PARTS` names. Each array in them is
``{"array": n}`` there, and is the member ``n.npy``. Nothing is compressed, so that the
size of the file bounds what it can claim; zip's CRC-32 finds damage.
"""

import io
import json
import os
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from utils.errors import CheckpointError
from utils.files.npy import read_npy
from utils.files.regular_file import open_zip
from utils.text import shown
from utils.training import model_file
from utils.training.hyperparameters import FIGURES, within_bounds
from utils.training.model_state import check_state
from utils.training.state import TrainingState

FORMAT, VERSION = "checkpoint of logistic regression", 2
JSON_MEMBER, MAX_JSON_BYTES = "content.json", 2**20
PARTS = {
    "trained_by": str,
    "arguments": dict,  # of the training function
    "fingerprint": str,  # of the dataset
    "floatX": str,
    "versions": dict,
    "state": dict,  # the numbers of utils.training.state.TrainingState
    "history": dict,  # its history, an array for each of HISTORY
    "best_model": dict,  # see utils.training.model_state
    "variables": dict,  # by name: arrays, and the states of random generators
    "graph": np.ndarray,  # UTF-8, see utils.backends.written_graph
    "evaluations": dict,  # see utils.training.replay; empty for SGD
}
ARGUMENTS = {
    "learning_rate": float,
    "n_epochs": int,
    "dataset": str,
    "batch_size": int,
    "model": str,
    "backend": str,
    # Only where they were given.
    "shuffle": int,
    "n_steps": int,
    "shards": int,
}
# Those of every run, and the metadata of every run's model.
ALWAYS_GIVEN = {"n_epochs", "dataset", "batch_size", "model", "backend"}
DESCRIPTION = {
    *("n_in", "n_out", "floatX", "dataset", "trained_by", "batch_size", "epoch"),
    *("validation_error", "test_error", "versions"),
}
NUMBERS = [f.name for f in fields(TrainingState) if f.type in (int, float)]
HISTORY = ("epoch", "iter", "cost", "validation_loss", "test_score", "seconds")


def dumps(content):
    """Return the bytes of a checkpoint that holds `content`, a dict as of `PARTS`.

    Equal contents give equal bytes.
    """
    arrays = []

    def replaced(value):
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a checkpoint cannot keep a {type(value).__name__}")
        arrays.append(value)
        return {"array": len(arrays) - 1}

    content = {"format": FORMAT, "version": VERSION} | content
    text = json.dumps(content, default=replaced)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(JSON_MEMBER), text)
        for index, array in enumerate(arrays):
            info = zipfile.ZipInfo(f"{index}.npy")
            with archive.open(info, "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)
    return file.getvalue()


def read(path):
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict
        The parts that `PARTS` names, of the types there, and each number and array of
        the type that training uses. They are not compared with a run.

    Raises
    ------
    CheckpointError
        Naming the file, what was expected and what was found.
    """
    path = Path(path)
    try:
        with open_zip(path) as (archive, size):
            content = _read_members(archive, size)
        _check(content)
    except OSError as error:
        raise CheckpointError(
            f"{path}: the checkpoint cannot be read ({error.strerror or error}). Name "
            "a file that a run with --checkpoint wrote, or start the run without "
            "--resume."
        ) from error
    except MemoryError:
        raise
    # A damaged or hostile file can fail in zipfile, json or NumPy in many ways.
    except Exception as error:
        reason = str(error)[:300] or type(error).__name__
        raise CheckpointError(
            f"{path}: expected a checkpoint that this program wrote, found another "
            f"file or a damaged one ({reason}). Take another checkpoint, or start the "
            "run again without --resume."
        ) from error
    return content


def _read_members(archive, size):
    """Return the content of an archive that is in a file of `size` bytes."""
    members = {info.filename: info for info in archive.infolist()}
    for info in members.values():
        plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
        _expect(plain, "a member that is compressed or encrypted")
    # Members can share their bytes, or claim some that are not there.
    total = sum(info.file_size for info in members.values())
    _expect(total <= size, f"members of {total} bytes in a file of {size}")
    _expect(JSON_MEMBER in members, f"no member {JSON_MEMBER}")
    found = members.pop(JSON_MEMBER).file_size
    _expect(found <= MAX_JSON_BYTES, f"{found} bytes in {JSON_MEMBER}")

    arrays = {}
    for name, info in members.items():
        with archive.open(info) as stream:
            arrays[name] = read_npy(stream, info.file_size, shown(name))

    def restored(value):
        if value.keys() != {"array"}:
            return value
        # Each is named once: to look through one again and again would take for ever.
        name = f"{value['array']!s:.20}.npy"
        _expect(name in arrays, f"no array {name}, or named twice")
        return arrays.pop(name)

    text = archive.read(JSON_MEMBER)
    written = len(json.dumps(json.loads(text)))  # by a resumed run, which adds little
    _expect(written <= MAX_JSON_BYTES // 2, f"{written} bytes of text and numbers")
    content = json.loads(text, object_hook=restored)
    _expect(type(content) is dict, "no content")
    _expect(content.pop("format", None) == FORMAT, "another format")
    version = content.pop("version", None)
    _expect(version == VERSION, f"version {version!r:.40} instead of {VERSION}")
    return content


def _expect(condition, found):
    if not condition:
        raise ValueError(found)


def _check(content):
    """Raise `ValueError` unless all parts are there, of their types."""
    _expect(content.keys() == PARTS.keys(), "other parts")
    for part, kind in PARTS.items():
        _expect(type(content[part]) is kind, f"a {part} that is no {kind.__name__}")
    arguments, state = content["arguments"], content["state"]
    for name, value in arguments.items():
        sound = type(value) is ARGUMENTS.get(name) and can_be_a_name(value)
        sound = sound and (type(value) is str or within_bounds(name, value))
        _expect(sound, f"an argument {name[:40]!a} out of place")
    _expect(ALWAYS_GIVEN <= arguments.keys(), "arguments that are not all there")
    _expect([*state] == NUMBERS, "a state of other numbers")
    for name, value in state.items():
        sound = within_bounds(name, value)
        _expect(sound, f"a state whose {name!a} is no number of a run")
    _check_history(content["history"], state)
    epoch, n_minibatches = state["epoch"], state["iter"] + 1
    possible = state["best_epoch"] <= epoch <= arguments["n_epochs"]
    # Conjugate gradient does not count minibatches.
    possible = possible and (not n_minibatches or epoch <= n_minibatches)
    _expect(possible, "more epochs than the run can have had")

    floatX = content["floatX"]
    _expect(floatX in ("float32", "float64"), "an impossible floatX")
    if state["best_epoch"] or content["best_model"]:
        check_state(content["best_model"])
        model_file.check_dumps(content["best_model"])
        described = DESCRIPTION <= content["best_model"]["metadata"].keys()
        _expect(described, "a best model whose metadata are not all there")
    _expect(_is_array(content["graph"], 1, "uint8"), "a graph that is no text")
    for value in content["variables"].values():
        _expect(type(value) in (np.ndarray, dict), "a variable that is no array")


def _check_history(columns, state):
    """Raise `ValueError` unless these are the validations up to a state."""
    _expect(tuple(columns) == HISTORY, "a history of other columns")
    for name, column in columns.items():
        sound = _is_array(column, 1, "int64" if name in HISTORY[:2] else "float64")
        sound = sound and len(column) == len(columns["epoch"]) > 0
        _expect(sound, f"a history with a column {name!a} that is out of shape")
        known = column[np.isfinite(column)] if name in FIGURES else column
        ends = (known.min(), known.max()) if len(known) else ()
        sound = all(within_bounds(name, end) for end in ends)
        _expect(sound, f"a history whose {name!a} has numbers of no run")
        if name in ("epoch", "iter", "seconds"):
            _expect((np.diff(column) >= 0).all(), f"a history whose {name!a} falls")
    names = "epoch", "iter", "test_score"
    last, now = [columns[n][-1] for n in names], [state[n] for n in names]
    same = np.array_equal(last, now, equal_nan=True)
    _expect(same, "a history that does not end where the state is")


def can_be_a_name(value):
    """Return False for a string that cannot be the name of a file."""
    try:
        return type(value) is not str or b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_array(value, ndim, dtype):
    return isinstance(value, np.ndarray) and (value.ndim, value.dtype) == (ndim, dtype)
