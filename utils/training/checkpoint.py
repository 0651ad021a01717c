"""Save the state of a run in a file, and resume from it."""

import numpy as np
import pytensor

from utils import backends
from utils.errors import CheckpointError

from . import checkpoint_file
from .checkpoint_file import ARGUMENTS, HISTORY, NUMBERS
from .kept_variables import by_name, kind_of, set_value, value_of

# A dataset is known by its fingerprint: its place may change.
MAY_CHANGE = {"n_epochs", "n_steps", "backend", "dataset", "model"}
# Those that the script sets before a run starts, and that do not change.
RULE = ("patience_increase", "improvement_threshold")
SAME_OPTIONS = (
    "Give what the checkpoint has, or leave it out; only the number of epochs or steps "
    "and the backend may change."
)
SAME_SCRIPT = "Resume it with the script as it was, or start again without resuming."


def plain_arguments(arguments):
    """Those of `checkpoint_file.ARGUMENTS` that were given, as plain values: a dict."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return {name: ARGUMENTS[name](value) for name, value in given.items()}


class Checkpoint:
    """The file that keeps a run's state, and the one that it is resumed from.

    Parameters
    ----------
    path, resume : str or path, or None
        The files; None where that is not asked for.
    trained_by : str
        The training algorithm.
    """

    def __init__(self, path, resume, trained_by):
        self.path, self.resume, self.trained_by = path, resume, trained_by

    def set_run(self, fingerprint, arguments):
        """Describe the run, and check that `resume` is of the same.

        `fingerprint` is called for that of the data, for which it reads some of them;
        `arguments` are the training function's, see `plain_arguments`. Where `resume`
        cannot be read, or is of a run that differs in what must be the same, that is
        all but `MAY_CHANGE`, a `CheckpointError` names each difference.
        """
        if self.path is None and self.resume is None:
            return  # no data are read to describe a run that nobody will resume
        self._run = {
            "trained_by": self.trained_by,
            "arguments": plain_arguments(arguments),
            "fingerprint": fingerprint(),
            "floatX": pytensor.config.floatX,
            "versions": {"numpy": np.__version__, "pytensor": pytensor.__version__},
        }
        if self.resume is not None:
            self._kept = checkpoint_file.read(self.resume)
            # Data of another floatX are other data too: they are compared last.
            self._refuse(_differences(_identity(self._run), _identity(self._kept)))
            if self._run["fingerprint"] != self._kept["fingerprint"]:
                self._refuse(_differences(_dataset(self._run), _dataset(self._kept)))

    def _refuse(self, differences, remedy=""):
        if differences:
            raise CheckpointError(
                f"{self.resume}: expected a checkpoint of this run, found that of "
                f"another: {'; '.join(differences)}. {remedy or SAME_OPTIONS}"
            )

    def restore(self, state, variables, graph, replay=None, notify=print):
        """Replace fresh state and values by the kept ones.

        `state` is a fresh `Run`; with nothing to resume from it stays so. `variables`
        are the shared ones that the training changes, and `graph` is called for the
        text of its graph, see `backends.written_graph`. A `CheckpointError` says if the
        file is that of another graph or of other variables; `notify` is called with a
        line where graphs cannot be compared.
        """
        self._variables, self._replay = by_name(variables), replay
        if replay is not None:
            replay.recording = self.path is not None
        if self.path is None and self.resume is None:
            return
        self._run["graph"] = np.frombuffer(graph().encode(), np.uint8)
        here = {name: kind_of(value_of(v)) for name, v in self._variables.items()}
        if self.resume is None:
            return
        kept = self._kept
        there = {name: kind_of(value) for name, value in kept["variables"].items()}
        self._refuse(_differences(here, there, "missing"), SAME_SCRIPT)
        self._compare_graphs(notify)
        numbers, best = kept["state"], kept["best_model"]
        if best:
            here = {name: getattr(state, name) for name in ("n_in", "n_out")}
            there = {name: best["metadata"][name] for name in here}
            self._refuse(_differences(here, there))
        here, there = ({n: found[n] for n in RULE} for found in (vars(state), numbers))
        self._refuse(_differences(here, there))
        patience = numbers["patience"] if state.n_steps is None else state.patience
        vars(state).update(numbers, patience=patience)
        history = (kept["history"][name].tolist() for name in HISTORY)
        state.history = list(zip(*history, strict=True))
        state.best_model = best
        for name, variable in self._variables.items():
            try:
                set_value(variable, kept["variables"][name])
            except ValueError as error:
                self._refuse([f"{name} cannot be set ({error})"])
        if replay is not None:
            replay.restore(kept["evaluations"], state.epoch, self.resume)

    def _compare_graphs(self, notify):
        here, there = (
            run["graph"].tobytes().decode(errors="replace")
            for run in (self._run, self._kept)
        )
        difference = backends.first_difference(here, there)
        versions = [run["versions"].get("pytensor") for run in (self._run, self._kept)]
        if difference and here and there and versions[0] == versions[1]:
            where, ours, theirs = difference
            found = f"{where} is {ours}, in the checkpoint {theirs:.200}"
            self._refuse([found], SAME_SCRIPT)
        if difference:
            notify(
                f"... {self.resume} is of PyTensor {versions[1]!a:.40}, this run of "
                f"{versions[0]!a}: their training graphs could not be compared"
            )

    def content(self, state):
        """The bytes of the file that keeps `state` and the variables' values now."""
        columns = zip(HISTORY, zip(*state.history, strict=True), strict=True)
        return checkpoint_file.dumps(
            self._run
            | {
                "state": {name: getattr(state, name) for name in NUMBERS},
                "history": {name: np.array(column) for name, column in columns},
                "best_model": state.best_model,
                "variables": {n: value_of(v) for n, v in self._variables.items()},
                "evaluations": self._replay.recorded() if self._replay else {},
            }
        )


def _identity(run):
    """The facts that a resumed run shares with the one that wrote the checkpoint."""
    arguments = run["arguments"]
    same = {name: v for name, v in arguments.items() if name not in MAY_CHANGE}
    return same | {
        "training": run["trained_by"],
        "end of the run": "n_steps" if "n_steps" in arguments else "patience",
        "floatX": run["floatX"],
    }


def _dataset(run):
    name, fingerprint = str(run["arguments"].get("dataset")), run["fingerprint"]
    # The name of arrays has it already.
    return {"dataset": name if fingerprint in name else f"{name} ({fingerprint})"}


def _differences(here, there, absent=None):
    return [
        f"{name} is {here.get(name, absent)}, in the checkpoint "
        f"{there.get(name, absent)}"
        for name in sorted(here | there)
        if here.get(name) != there.get(name)
    ]
