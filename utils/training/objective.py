"""The objective of conjugate gradient: cost, gradient and errors at a point."""

from collections.abc import Callable
from dataclasses import dataclass

from pytensor import config
from pytensor.compile.sharedvalue import SharedVariable


@dataclass
class Objective:
    """The objective of conjugate gradient, computed in this process.

    `utils.training.cluster.objective.ClusterObjective` has other processes compute it.

    Parameters
    ----------
    theta : shared vector, floatX
        All parameters of the model: the point that the methods speak of.
    batch_cost_and_gradient, validate_model, test_model : callable
        Compiled functions of a minibatch's index: cost and gradient on the training
        set, the fraction of errors on the validation and on the test set.
    n_train_batches, n_valid_batches, n_test_batches : int
        Minibatches of each split.
    """

    theta: SharedVariable
    batch_cost_and_gradient: Callable
    validate_model: Callable
    test_model: Callable
    n_train_batches: int
    n_valid_batches: int
    n_test_batches: int
    evaluations: int = 0

    def set_theta(self, theta_value):
        """Move to another point, of any floating type; `theta` gets a copy."""
        # SciPy always holds float64 and goes on using its array.
        self.theta.set_value(theta_value.astype(config.floatX), borrow=True)

    def costs_and_gradients(self):
        """Cost and gradient of each part of the training set, in their order.

        Yields
        ------
        n_batches : int
            Minibatches of the part: here 1.
        cost : scalar
            The sum of their costs.
        gradient : array, as `theta`
            The sum of their gradients.
        """
        self.evaluations += 1
        for index in range(self.n_train_batches):
            yield 1, *self.batch_cost_and_gradient(index)

    def validation_errors(self):
        """The fraction of errors of each validation minibatch, a list."""
        return [self.validate_model(i) for i in range(self.n_valid_batches)]

    def test_errors(self):
        """The fraction of errors of each test minibatch, a list."""
        return [self.test_model(i) for i in range(self.n_test_batches)]

    def functions(self):
        """The compiled functions, as a tuple."""
        return self.batch_cost_and_gradient, self.validate_model, self.test_model

    def __str__(self):
        return f"{self.evaluations} evaluations"
