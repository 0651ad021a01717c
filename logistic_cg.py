r"""Classifying MNIST digits by logistic regression, trained by conjugate gradient.

The model is that of `logistic_sgd`. Its parameters lie in one flat vector
:math:`\theta`, because SciPy's nonlinear conjugate gradient minimises a function of a
vector: the mean of :math:`-\log P(Y = y \mid x, \theta)` over the whole training set.
The compiled function gives cost and gradient of one minibatch; their mean over the
minibatches is what SciPy sees.

The lesson is that of the Deep Learning Tutorials; the method is in J. Nocedal and
S. J. Wright, Numerical Optimization, section 5.2 (Polak-Ribiere).
"""

import os
import sys
from importlib.util import find_spec

try:
    from utils.cli import startup
except ImportError as error:  # another program's `utils` comes first
    found = find_spec("utils")
    found = found and (found.origin or [*found.submodule_search_locations])
    raise (SystemExit if __name__ == "__main__" else ImportError)(
        f"{os.path.basename(__file__)}: error: expected its own package `utils`, found "
        f"{found} ({error}): start Python in a checkout of this program, or rename the "
        "other `utils`."
    ) from None

startup.prepare(__name__)  # ahead of the imports below: they take a second

import numpy as np
import pytensor
import pytensor.tensor as T
import scipy.optimize

import logistic_sgd
from logistic_sgd import load_data, scaled, shared_parameter
from utils import backends
from utils.training import Objective, Replay, Run, resumable


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


@resumable
def cg_optimization_mnist(
    n_epochs=50,
    mnist_pkl_gz="mnist.pkl.gz",
    batch_size=600,
    **settings,
):
    """Train logistic regression by nonlinear conjugate gradient.

    Parameters
    ----------
    n_epochs : int
        The most iterations of conjugate gradient. Default 50.
    mnist_pkl_gz : str, path or arrays
        The dataset; see `logistic_sgd.load_data`.
    batch_size : int or None
        Examples in a minibatch. Default 600; see `utils.training.Run`.
    settings
        Those that are not the tutorial's: `cluster`, `shards`, `model`, `backend`,
        `monitor`, `checkpoint` and `resume`; see `utils.training.Settings`. The model
        is saved as a `logistic_sgd.LogisticRegression`. A checkpoint keeps all costs
        and gradients so far; see `utils.training.replay`.

    Returns
    -------
    utils.training.TrainingResult

    Raises
    ------
    utils.errors.UserError
        One of those of `logistic_sgd.load_data`, `utils.training.Run` and
        `utils.training.cluster`.
    """
    run = Run("conjugate gradient", mnist_pkl_gz, n_epochs, batch_size, **settings)

    run.stage("... loading data")
    splits = load_data(mnist_pkl_gz, dtype="uint8", notify=run.log)
    batch_size, n_train_batches, *n_other_batches = run.set_data(splits)
    n_in, n_out = run.n_in, run.n_out

    run.stage("... building the model")
    if run.cluster is None:
        run.log("... compiling (slow the first time, then kept for the next run)")
        functions = compile_functions(splits, n_in, n_out, batch_size, run.mode)
        objective = Objective(*functions, n_train_batches, *n_other_batches)
    else:
        objective = run.cluster_objective(load_data, compile_functions, splits)

    def train_fn(theta_value):
        """Cost and gradient at a point, as means over all minibatches, in float64."""
        objective.set_theta(theta_value)
        train_loss, gradient = 0.0, np.zeros_like(theta_value)
        for n, some_cost, some_gradient in objective.costs_and_gradients():
            train_loss += float(some_cost)
            gradient += some_gradient
            run.on_minibatch_end(some_cost, n)
        run.check_costs(remedy="images scaled to lie between 0 and 1")
        return train_loss / n_train_batches, gradient / n_train_batches

    # theta is seen by SciPy alone; the file holds the class with shared W and b.
    best = logistic_sgd.LogisticRegression(T.matrix("x"), n_in=n_in, n_out=n_out)

    def callback(theta_value):
        """After each iteration: the validation error, and the best model saved."""
        objective.set_theta(theta_value)
        run.epoch += 1
        this_validation_loss = np.mean(objective.validation_errors())
        run.say(f"validation error {this_validation_loss * 100:f} %")
        if this_validation_loss < run.best_validation_loss:
            run.best_validation_loss = this_validation_loss
            run.test_score = np.mean(objective.test_errors())
            theta = objective.theta.get_value(borrow=True)
            best.W.set_value(theta[: n_in * n_out].reshape(n_in, n_out))
            best.b.set_value(theta[n_in * n_out :])
            run.save(best)
        run.on_validation_end(this_validation_loss, remark=str(objective))

    run.stage("... training the model")
    run.stage("Optimizing using scipy.optimize.fmin_cg...")
    replay = Replay()
    run.start(objective=objective, replay=replay)
    # fmin_cg's algorithm; by this name one function may give cost and gradient.
    found = scipy.optimize.minimize(
        replay.function(train_fn),
        x0=np.zeros(n_in * n_out + n_out),
        jac=True,
        method="CG",
        callback=replay.callback(callback),
        options={"maxiter": n_epochs},
    )
    run.close(reason=found.message)
    run.say(
        "Optimization complete with best validation score of "
        f"{run.best_validation_loss * 100:f} %, "
        f"with test performance {run.test_score * 100:f} %"
    )
    if run.cluster is not None:
        run.log(f"... {objective}")
    name = os.path.basename(__file__)
    run.note(f"The code for file {name} ran for {run.seconds:.1f}s")
    return run.result()


def main(arguments=None):
    """Train from the command line; returns the exit status."""
    from utils.cli import command_line
    from utils.report import outputs

    parser = command_line.parser(__file__, __doc__, n_epochs=50)
    command_line.add_cluster_options(parser)

    def run(options):
        with command_line.cluster(options) as cluster:
            result = cg_optimization_mnist(
                cluster=cluster,
                **command_line.given(options, "shards"),
                **command_line.training_arguments(options, dataset="mnist_pkl_gz"),
            )
        outputs.show(options, result, logistic_sgd.load_model)

    return command_line.run(parser, run, arguments, floatX="float64")


if __name__ == "__main__":
    # As a module of the file's name, whose functions a cluster's workers can import.
    sys.exit(startup.run_as_module(__file__))
