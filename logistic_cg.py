r"""Classifying MNIST digits by logistic regression, trained by conjugate gradient.

The model is that of `logistic_sgd`. Its parameters lie in one flat vector
:math:`\theta`, because SciPy's nonlinear conjugate gradient minimises a function of a
vector: the mean of :math:`-\log P(Y = y \mid x, \theta)` over the whole training set.
The compiled function gives cost and gradient of one minibatch; their mean over the
minibatches is what SciPy sees.

The lesson is that of the Deep Learning Tutorials; the method is in J. Nocedal and
S. J. Wright, Numerical Optimization, section 5.2 (Polak-Ribiere).
"""

import sys

from utils.cli import startup

startup.prepare(__name__)  # before the imports that take a second

import numpy as np
import pytensor
import pytensor.tensor as T
import scipy.optimize

import logistic_sgd
from logistic_sgd import load_data, scaled, shared_parameter
from utils import backends
from utils.cli import command_line
from utils.report import outputs
from utils.training import (
    TrainingResult,
    TrainingState,
    check_hyperparameters,
    minibatch_counts,
    model_file,
)
from utils.training.checkpoint import Checkpoint
from utils.training.cluster.shards import sharding
from utils.training.monitor import Monitor
from utils.training.objective import Objective
from utils.training.replay import Replay
from utils.training.resuming import resumable


class LogisticRegression(logistic_sgd.LogisticRegression):
    """Multi-class logistic regression over one flat vector of parameters.

    Parameters
    ----------
    input : symbolic matrix, ``(n, n_in)``, floatX
        A minibatch of images.
    n_in : int
        Number of features (pixels) of an example.
    n_out : int
        Number of classes.

    Attributes
    ----------
    theta : shared vector, ``(n_in * n_out + n_out,)``, floatX
        All parameters, zeros at first: the rows of `W` one after another, then `b`.
    W, b : symbolic, ``(n_in, n_out)`` and ``(n_out,)``
        Views of `theta`.
    params : list
        ``[theta]``.
    """

    def __init__(self, input, n_in, n_out):
        self.theta = shared_parameter(
            np.zeros(n_in * n_out + n_out, dtype=pytensor.config.floatX), "theta"
        )
        self.W = self.theta[: n_in * n_out].reshape((n_in, n_out))
        self.b = self.theta[n_in * n_out :]
        self.params = [self.theta]
        self._connect(input)


def compile_functions(splits, n_in, n_out, batch_size, mode):
    """Write the model down, and compile what is computed of a minibatch.

    A worker of a cluster calls it as well, for its own rows.

    Parameters
    ----------
    splits : list of three (x, y) pairs of shared variables
        As `logistic_sgd.load_data` returns them.
    n_in, n_out : int
        See `LogisticRegression`.
    batch_size : int
        Examples in a minibatch.
    mode : pytensor.compile.mode.Mode
        See `utils.backends.compilation_mode`.

    Returns
    -------
    theta : shared vector, ``(n_in * n_out + n_out,)``, floatX
    batch_cost_and_gradient, validate_model, test_model : compiled functions
        Of a minibatch's index.
    """
    (train_set_x, train_set_y), (valid_set_x, valid_set_y), (test_set_x, test_set_y) = (
        splits
    )
    index = T.lscalar("index")  # which minibatch
    x = T.matrix("x")  # its images, (batch_size, n_in)
    y = T.ivector("y")  # their labels, (batch_size,)

    classifier = LogisticRegression(input=x, n_in=n_in, n_out=n_out)
    cost = classifier.negative_log_likelihood(y)

    minibatch = slice(index * batch_size, (index + 1) * batch_size)
    test_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(test_set_x[minibatch]), y: test_set_y[minibatch]},
        mode=mode,
    )
    validate_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(valid_set_x[minibatch]), y: valid_set_y[minibatch]},
        mode=mode,
    )
    # Cost and gradient share most of their graph, so one function computes both.
    batch_cost_and_gradient = pytensor.function(
        inputs=[index],
        outputs=[cost, T.grad(cost, classifier.theta)],
        givens={x: scaled(train_set_x[minibatch]), y: train_set_y[minibatch]},
        mode=mode,
    )
    functions = batch_cost_and_gradient, validate_model, test_model
    backends.warm_up(*functions)
    return classifier.theta, *functions


@resumable(dataset="mnist_pkl_gz")
def cg_optimization_mnist(
    n_epochs=50,
    mnist_pkl_gz="mnist.pkl.gz",
    batch_size=600,
    *,
    model="best_model.pkl",
    backend="auto",
    monitor=None,
    checkpoint=None,
    resume=None,
    cluster=None,
    shards=None,
):
    """Train logistic regression by nonlinear conjugate gradient.

    Parameters
    ----------
    n_epochs : int
        The most iterations of conjugate gradient. Default 50.
    mnist_pkl_gz : str or path
        The dataset; see `logistic_sgd.load_data`.
    batch_size : int or None
        Examples in a minibatch. Default 600; None means 600, or 20 where a split holds
        fewer than 600. The rest past the last full minibatch is left out.
    model : str or path
        Where the best model is saved, as a `logistic_sgd.LogisticRegression`. Default
        ``best_model.pkl``.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".
    monitor : utils.training.monitor.Monitor, optional
        What the run reports to; the default prints the tutorial's lines only.
    checkpoint : str or path, optional
        Where the state of training, with all costs and gradients so far, is kept at
        each iteration; see `utils.training.replay`. Default: `resume`.
    resume : str or path, optional
        A checkpoint to go on from, after its last iteration. Arguments that are not
        given have the values they had in its run; only `n_epochs`, `backend`, and the
        places of files may differ. The lines that are printed are those that are left
        of that run.
    cluster : utils.training.cluster.Cluster, optional
        Has its workers compute cost, gradient and errors; default: this process does.
    shards : int, optional
        The runs of whole minibatches that a cluster's workers share out. The number
        decides in which order sums are taken, so also their last digits. Default: the
        workers at the start.

    Returns
    -------
    utils.training.TrainingResult

    Raises
    ------
    utils.training.HyperparameterError, utils.backends.BackendError
        Before any data is read.
    utils.datasets.DatasetError
        See `logistic_sgd.load_data`.
    utils.training.cluster.ClusterError
        If a worker cannot do its part, or none is left.
    utils.training.checkpoint_file.CheckpointError
        Where `resume` is no checkpoint, or that of another run.
    utils.training.monitor.DivergenceError
        If the cost becomes NaN or infinite.
    utils.training.monitor.TrainingStopped
        If `monitor` was asked to stop.
    utils.files.WriteError
        At the end, if the model or checkpoint could not be written.
    """
    check_hyperparameters(n_epochs, batch_size)
    mode = backends.compilation_mode(backend)
    monitor = monitor or Monitor()
    announce = monitor.say if resume is None else monitor.log

    announce("... loading data")
    splits = load_data(mnist_pkl_gz, dtype="uint8", notify=monitor.log)
    batch_size, *n_batches = minibatch_counts(
        [len(x.get_value(borrow=True)) for x, _ in splits], batch_size
    )
    n_train_batches, _, _ = n_batches
    parts = sharding(shards, cluster, n_train_batches)
    keeper = Checkpoint(
        checkpoint,
        resume,
        "conjugate gradient",
        splits,
        batch_size=batch_size,
        n_epochs=n_epochs,
        dataset=mnist_pkl_gz,
        model=model,
        backend=backend,
        **parts,
    )
    train_set_x, train_set_y = splits[0]
    n_in = train_set_x.get_value(borrow=True).shape[1]
    n_out = int(train_set_y.get_value(borrow=True).max()) + 1

    announce("... building the model")
    if cluster is None:
        monitor.log("... compiling (slow the first time, then kept for the next run)")
        functions = compile_functions(splits, n_in, n_out, batch_size, mode)
        minibatches = Objective(*functions, *n_batches)
    else:
        minibatches = cluster.objective(
            load_data,
            compile_functions,
            dataset=mnist_pkl_gz,
            splits=splits,
            n_in=n_in,
            n_out=n_out,
            batch_size=batch_size,
            n_batches=n_batches,
            **parts,
            backend=backend,
            notify=monitor.log,
        )

    def train_fn(theta_value):
        """Cost and gradient at a point, as means over all minibatches, in float64."""
        minibatches.set_theta(theta_value)
        train_loss, gradient = 0.0, np.zeros_like(theta_value)
        for n, some_cost, some_gradient in minibatches.costs_and_gradients():
            train_loss += float(some_cost)
            gradient += some_gradient
            monitor.minibatch(state, some_cost, n)
        monitor.check_costs(state, "images scaled to lie between 0 and 1")
        return train_loss / n_train_batches, gradient / n_train_batches

    # theta is seen by SciPy alone; the file holds the class with shared W and b.
    best = logistic_sgd.LogisticRegression(T.matrix("x"), n_in=n_in, n_out=n_out)

    def callback(theta_value):
        """After each iteration: the validation error, and the best model saved."""
        minibatches.set_theta(theta_value)
        state.epoch += 1
        this_validation_loss = np.mean(minibatches.validation_errors())
        monitor.say(f"validation error {this_validation_loss * 100:f} %")
        if state.is_new_best(this_validation_loss):
            state.test_score = np.mean(minibatches.test_errors())
            theta = minibatches.theta.get_value(borrow=True)
            best.W.set_value(theta[: n_in * n_out].reshape(n_in, n_out))
            best.b.set_value(theta[n_in * n_out :])
            metadata = {
                "dataset": str(mnist_pkl_gz),
                "trained_by": "conjugate gradient",
                "batch_size": int(batch_size),
                "epoch": state.epoch,
                "validation_error": float(this_validation_loss),
                "test_error": float(state.test_score),
            }
            best.metadata = model_file.describe(best.W.get_value(borrow=True), metadata)
            state.best_model = best.__getstate__()
            monitor.write(model, model_file.dumps(state.best_model))
        note = f"iteration {state.epoch}, {minibatches}"
        monitor.validation(state, this_validation_loss, note)

    announce("... training the model")
    announce("Optimizing using scipy.optimize.fmin_cg...")
    state = TrainingState()
    replay = Replay(record=checkpoint is not None)
    keeper.restore(state, [minibatches.theta], replay=replay)
    if resume is not None:
        monitor.log(
            f"... going on after iteration {state.epoch} from {resume}: SciPy starts "
            "again, and is given the costs and gradients that were kept"
        )
        model_file.check_replaceable(model)
        monitor.write(model, model_file.dumps(state.best_model))
    monitor.start(
        None, "minibatch", state, keeper, lambda: f"iteration {state.epoch + 1}"
    )
    # fmin_cg's algorithm; by this name one function may give cost and gradient.
    scipy.optimize.minimize(
        replay.function(train_fn),
        x0=np.zeros(n_in * n_out + n_out),
        jac=True,
        method="CG",
        callback=replay.callback(callback),
        options={"maxiter": n_epochs},
    )
    seconds = monitor.seconds
    monitor.close()
    monitor.say(
        "Optimization complete with best validation score of "
        f"{state.best_validation_loss * 100:f} %, "
        f"with test performance {state.test_score * 100:f} %"
    )
    if cluster is not None:
        monitor.log(f"... {minibatches}")
    command_line.print_run_time(__file__, seconds)
    monitor.check_files()
    return TrainingResult.of(state, seconds, model, mnist_pkl_gz)


def main(arguments=None):
    """Train from the command line; returns the exit status."""
    parser = command_line.parser("logistic_cg.py", __doc__, n_epochs=50)
    command_line.add_cluster_options(parser)

    def run(options):
        with command_line.cluster(options) as cluster:
            result = cg_optimization_mnist(
                cluster=cluster,
                **command_line.given(options, "shards"),
                **command_line.training_arguments(options, dataset="mnist_pkl_gz"),
            )
        outputs.show(options, result)

    return command_line.run(parser, run, arguments, floatX="float64")


if __name__ == "__main__":
    sys.exit(startup.run_as_module(__file__))
