"""A training run: its state, and everything about it that is not the lesson.

The training loop stays the script's. It has the tutorial's variables as attributes of
the run, and calls the run where something happens that is not the lesson; the run hands
the call on to the object that prints, writes, shuffles or keeps a checkpoint.
"""

import functools
import itertools
import math
from numbers import Integral

from utils import datasets
from utils.backends import compilation_mode, shared_variables, warm_up, written_graph
from utils.errors import DivergenceError

from . import ending, model_file, model_input, model_state
from .checkpoint import Checkpoint, plain_arguments
from .checkpoint_file import ARGUMENTS
from .cluster.shards import sharding
from .costs import Costs
from .example_order import ExampleOrder
from .hyperparameters import check_hyperparameters, minibatch_counts
from .memory import check_size
from .monitor import Monitor, TrainingStopped
from .settings import Settings
from .state import TrainingState


class Run(TrainingState):
    """A run of one of the training functions.

    Parameters
    ----------
    trained_by : str
        The training algorithm.
    dataset : str, path or arrays
        See `logistic_sgd.load_data`. Of arrays, the model and the checkpoint hold the
        fingerprint, and resuming takes the same arrays again.
    n_epochs : int
        The most epochs, or iterations of conjugate gradient.
    batch_size : int or None
        Examples in a minibatch. None means the tutorial's 600, or 20 where a split
        holds fewer than 600. The rest past the last full minibatch is left out.
    learning_rate : float, optional
        Of minibatch SGD.
    settings
        See `Settings`.

    Attributes
    ----------
    mode : pytensor.compile.mode.Mode
        What to compile functions with.
    arguments : dict
        Those of the training function that `checkpoint_file.ARGUMENTS` names.
        `set_data` fills in what follows from the data: `n_epochs` where `n_steps` is
        given, `batch_size`, `shards`, and for arrays their name as `dataset`.
    n_in, n_out : int
        Features (pixels) of an example, and classes: the labels from 0 to the largest.
    say, log, note : callable
        Those of the monitor.
    n_batches : list of int
        Minibatches of the training, validation and test split.
    done_looping : bool
        True when patience has run out.
    ended_because : str
        Why the run ended, or where it was stopped; empty before.

    Raises
    ------
    utils.errors.HyperparameterError, utils.errors.BackendError
        Before any data is read; where a minibatch is larger than a split, after that.
    utils.errors.DatasetError
        By `set_data`, if a W of features x classes is too large for the memory.
    utils.errors.CheckpointError
        By `set_data` and `start`, where `resume` is no checkpoint, or that of another
        run.
    utils.errors.DivergenceError
        By `check_costs` and `save`, if a cost or a parameter is NaN or infinite.
    TrainingStopped
        By `on_minibatch_end`, if `monitor` was asked to stop.
    utils.errors.WriteError
        By `result`, if the model or checkpoint could not be written.
    """

    def __init__(
        self, trained_by, dataset, n_epochs, batch_size, learning_rate=None, **settings
    ):
        settings = Settings(**settings)
        given = locals() | vars(settings)
        self.dataset = dataset  # as given; of arrays, the arguments have the name
        rate = 1.0 if trained_by == "conjugate gradient" else learning_rate
        check_hyperparameters(
            n_epochs, batch_size, rate, settings.shuffle, settings.n_steps
        )
        # NumPy's integers would overflow when minibatches are counted.
        self.arguments = {
            name: int(given[name]) if isinstance(given[name], Integral) else given[name]
            for name in ARGUMENTS
        }
        super().__init__(n_steps=self.arguments["n_steps"])
        self.mode = compilation_mode(settings.backend)
        self.monitor = settings.monitor or Monitor()
        self.say, self.log = self.monitor.say, self.monitor.log
        self.note = self.monitor.note
        self.done_looping, self.ended_because = False, ""
        self.cluster, self._costs = settings.cluster, Costs()
        self._classifier = None
        self._checkpoint = Checkpoint(settings.checkpoint, settings.resume, trained_by)

    @property
    def where(self):
        """The point that training has reached, as in ``epoch 3, minibatch 2/83``."""
        if self.iter < 0:  # conjugate gradient counts no minibatches
            return f"iteration {self.epoch + 1}"
        n_train_batches = self.n_batches[0]
        number = self.iter % n_train_batches + 1
        return f"epoch {self.epoch}, minibatch {number}/{n_train_batches}"

    @property
    def seconds(self):
        """Seconds of training, those of a resumed run's first part included."""
        return self.monitor.seconds

    def stage(self, line):
        """Print the line that opens a part of the run; a resumed run only logs it."""
        (self.say if self._checkpoint.resume is None else self.log)(line)

    def set_data(self, splits):
        """Count the minibatches, and check that the data are those of the checkpoint.

        Parameters
        ----------
        splits : list of three (x, y) pairs of shared variables
            As `logistic_sgd.load_data` returns them.

        Returns
        -------
        batch_size : int
        n_train_batches, n_valid_batches, n_test_batches : int
        """
        arrays = [[array.get_value(borrow=True) for array in pair] for pair in splits]
        sizes = [len(x) for x, _ in arrays]
        batch_size, *n_batches = minibatch_counts(sizes, self.arguments["batch_size"])
        datasets.read_ahead(arrays[0][0])
        self.n_batches, self._n_test = n_batches, sizes[2]
        self.n_in, self.n_out = arrays[0][0].shape[1], int(arrays[0][1].max()) + 1
        self._order = ExampleOrder(self.arguments["shuffle"], sizes[0])
        self._data = {self._order.order, *itertools.chain(*splits)}
        self.arguments["batch_size"] = batch_size
        if self.n_steps is not None:
            self.arguments["n_epochs"] = math.ceil(self.n_steps / n_batches[0])
        self.n_epochs = self.arguments["n_epochs"]
        self.arguments |= sharding(self.arguments["shards"], self.cluster, n_batches[0])
        fingerprint = functools.cache(lambda: datasets.fingerprint(arrays))
        if datasets.are_arrays(self.dataset):
            self.arguments["dataset"] = datasets.name_arrays(fingerprint())
        name, trained_by = self.arguments["dataset"], self._checkpoint.trained_by
        check_size(name, self.n_in, self.n_out, trained_by)
        self._about_data = model_input.feature_range(arrays[0][0])
        if class_names := datasets.class_names(name):
            self._about_data["class_names"] = [*class_names]
        self._checkpoint.set_run(fingerprint, self.arguments)
        return batch_size, *n_batches

    def cluster_objective(self, load_data, compile_functions, splits):
        """The objective of conjugate gradient on the cluster: a `ClusterObjective`."""
        # Imported here, because it imports asyncio, which only a cluster needs.
        from .cluster.objective import ClusterObjective

        names = "batch_size", "shards", "backend"
        return ClusterObjective(
            self.cluster,
            load_data,
            compile_functions,
            dataset=self.dataset,
            splits=splits,
            n_in=self.n_in,
            n_out=self.n_out,
            n_batches=self.n_batches,
            notify=self.log,
            **{name: self.arguments[name] for name in names},
        )

    def rows(self, minibatch):
        """The rows of the data that a minibatch takes; see `ExampleOrder.rows`."""
        return self._order.rows(minibatch)

    def start(self, *functions, objective=None, replay=None):
        """Start training, from zero or from what the checkpoint kept.

        Training changes the shared variables that `functions` use, all but the data;
        these are kept, and with them the graph of the functions, as it was written.

        Parameters
        ----------
        functions : compiled functions of a minibatch's index
            They are called once, ahead of the clock, because Numba and JAX compile
            then.
        objective : utils.training.Objective, optional
            That of conjugate gradient, which changes its `theta`.
        replay : utils.training.replay.Replay, optional
            The costs and gradients of conjugate gradient.
        """
        warm_up(*functions)
        if self.n_steps is not None:
            # Patience for exactly these minibatches, which nothing extends.
            self.patience, self.patience_increase = self.n_steps - 1, 0
        if objective is None:
            used = shared_variables(*functions)
            variables = [v for v in used if v not in self._data]
        else:
            variables = [objective.theta]

        def graph():
            compiled = functions or objective.functions()
            return written_graph(*compiled, data=self._data)

        self._costs.watch(variables)
        self._checkpoint.restore(self, variables, graph, replay, self.log)
        self.done_looping = self.patience <= self.iter
        if self.iter >= 0 and not self.done_looping:
            # The loop counts an epoch when it begins, this one perhaps once more.
            self.epoch = (self.iter + 1) // self.n_batches[0]
        if self._checkpoint.resume is not None:
            path = self._checkpoint.resume
            self.log(f"... resuming after {self.unit} {self.epoch} from {path}")
            if self.best_epoch:
                self._write_best_model()
        if replay is not None:
            replay.poll = self._poll
        if self.epoch < self.arguments["n_epochs"] and not self.done_looping:
            # Before training, which a first signal only asks to end.
            self._order.set_epoch(self.epoch)
        total = None if replay else self._allowed()
        self.monitor.start(self.history, total, self.iter + 1)

    def _allowed(self):
        """The number of minibatches that epochs, steps and patience now allow."""
        most = self.n_steps or self.arguments["n_epochs"] * self.n_batches[0]
        return math.ceil(min(most, self.patience + 1))

    def minibatches(self):
        """The indices of the epoch's minibatches, those that a resumed run has left."""
        self._order.set_epoch(self.epoch)
        n_train_batches = self.n_batches[0]
        return range((self.iter + 1) % n_train_batches, n_train_batches)

    def on_minibatch_end(self, cost, n_minibatches=1):
        """Keep a cost, as `Costs.add` does, and stop if that was asked for."""
        self._poll()
        self._costs.add(cost, n_minibatches)
        self.monitor.advance(n_minibatches)

    def check_costs(self, remedy):
        """Stop if training diverged since the last validation: try `remedy` then."""
        divergence = self._costs.divergence()
        if divergence is not None:
            self.monitor.close()
            raise DivergenceError(
                f"{divergence} ({self.where}): try {remedy}. {self.best_so_far}"
            )

    def save(self, classifier):
        """Save the model that is the best so far, or with `n_steps` the latest.

        Parameters
        ----------
        classifier : logistic_sgd.LogisticRegression, or an object of any class
            With `params`, `input` and `y_pred`; see `model_state.own_parts`. Its
            `metadata` becomes a description of this run, whose `validation_error` and
            `test_error` are those of the model.
        """
        if classifier is not self._classifier:
            sizes = {"n_in": self.n_in, "n_out": self.n_out}
            self._parts = model_state.own_parts(classifier, **sizes)
            self._classifier = classifier
        names = "learning_rate", "batch_size", "shuffle"
        given = {name: self.arguments[name] for name in names}
        progress = {"epoch": self.epoch}
        if self.n_steps is not None:
            progress["step"] = self.iter + 1
        classifier.metadata = model_file.describe(
            self.n_in,
            self.n_out,
            {
                "dataset": str(self.arguments["dataset"]),
                **self._about_data,
                "trained_by": self._checkpoint.trained_by,
                **plain_arguments(given),
                **progress,
                "validation_error": float(self.best_validation_loss),
                "test_error": float(self.test_score),
            },
        )
        state = model_state.state_of(classifier, self._parts)
        try:
            model_state.check_state(state)
        except ValueError as error:  # it shall not replace a sound one
            self.monitor.close()
            raise DivergenceError(
                f"the model of {self.where} has {error}, and was not saved: try a "
                "lower learning rate, or images scaled to lie between 0 and 1."
            ) from error
        self.best_epoch, self.best_model = self.epoch, state
        self._write_best_model()

    def _write_best_model(self):
        data = model_file.dumps(self.best_model)
        self.monitor.files.write(self.arguments["model"], data)

    def on_validation_end(self, validation_loss, remark=""):
        """Add a validation to the history, and keep the state in the checkpoint.

        Parameters
        ----------
        validation_loss : float
            A fraction of 1.
        remark : str
            Shown with it beside the progress bar.
        """
        errors = float(validation_loss), float(self.test_score)
        point = self.epoch, self.iter, self._costs.take_last()
        self.history.append((*point, *errors, self.seconds))
        if self._checkpoint.path is not None:
            content = self._checkpoint.content(self)
            self.monitor.files.write(self._checkpoint.path, content)
        text, total = f"validation error {validation_loss:.2%}", self._allowed()
        if self.iter < 0:
            text, total = f"iteration {self.epoch}, {text}", None
        self.monitor.show(", ".join(filter(None, (text, remark))), total)

    def close(self, reason="its loop was left"):
        """Stop the clock, wait for the files, and log why the run ended.

        Parameters
        ----------
        reason : str
            To be logged where neither patience nor the number of epochs or steps is it.
        """
        self.monitor.close()
        self.ended_because = ending.reason(self, reason)
        self.log(f"... ended in {self.unit} {self.epoch}: {self.ended_because}")
        if not self.best_epoch:
            path = self.arguments["model"]
            self.note(f"The run saved no model: {path} is missing, or another run's.")

    def print_accuracy(self, errors, givens):
        """Print the accuracy of the model over all test examples, as a note.

        Parameters
        ----------
        errors : symbolic scalar
            The fraction of wrong predictions.
        givens : dict
            All test images and labels, those past the last full minibatch included, for
            the variables that `errors` is written in.
        """
        accuracy = ending.accuracy(errors, givens, self._n_test, self.mode)
        self.note(
            f"The model after step {self.iter + 1} has accuracy {accuracy:.4f} "
            f"over all {self._n_test} test examples"
        )

    def result(self):
        """The `TrainingResult`, once the files have been written."""
        self.monitor.close()
        for error in self.monitor.files.failed.values():
            raise error
        return ending.result(self)

    def _poll(self):
        """End the run if it was asked to stop."""
        if self.monitor.stop_signal is None:
            return
        self.monitor.close()
        self.ended_because = f"stopped in {self.where}"
        path = self._checkpoint.path
        if path is not None and (not self.history or path in self.monitor.files.failed):
            path = ""
        result = ending.result(self) if self.best_epoch else None
        summary = ending.summary(self, path)
        raise TrainingStopped(self.monitor.stop_signal, summary, result)
