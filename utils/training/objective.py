"""The objective of conjugate gradient: cost, gradient and errors at a point."""

from pytensor import config


class Objective:
    """The objective of conjugate gradient, computed in this process.

    `utils.training.cluster.ClusterObjective` has it computed by other processes.

    Parameters
    ----------
    theta : shared vector, floatX
        All parameters of the model.
    batch_cost_and_gradient, validate_model, test_model : callable
        Compiled functions of a minibatch's index: cost and gradient on the training
        set, the fraction of errors on the validation and on the test set.
    n_train_batches, n_valid_batches, n_test_batches : int
        Minibatches of each split.

    Attributes
    ----------
    theta : shared vector, floatX
        The point that the methods speak of.
    """

    def __init__(
        self,
        theta,
        batch_cost_and_gradient,
        validate_model,
        test_model,
        n_train_batches,
        n_valid_batches,
        n_test_batches,
    ):
        self.theta = theta
        self._batch_cost_and_gradient = batch_cost_and_gradient
        self._validate_model, self._test_model = validate_model, test_model
        self._n_train_batches = n_train_batches
        self._n_valid_batches, self._n_test_batches = n_valid_batches, n_test_batches
        self._evaluations = 0

    def set_theta(self, theta_value):
        """Move to another point.

        Parameters
        ----------
        theta_value : numpy.ndarray, as `theta`
            Of any floating type; `theta` gets a copy.
        """
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
        self._evaluations += 1
        for index in range(self._n_train_batches):
            yield 1, *self._batch_cost_and_gradient(index)

    def validation_errors(self):
        """The fraction of errors of each validation minibatch, a list."""
        return [self._validate_model(i) for i in range(self._n_valid_batches)]

    def test_errors(self):
        """The fraction of errors of each test minibatch, a list."""
        return [self._test_model(i) for i in range(self._n_test_batches)]

    def __str__(self):
        return f"{self._evaluations} evaluations"
