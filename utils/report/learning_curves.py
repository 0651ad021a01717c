"""The numbers of a run's learning curves, for the figures and the page."""

import numpy as np

HIGHEST = 1e300  # of a figure that is drawn: the length of an axis is to be finite


class LearningCurves:
    """A run's costs and errors, and the validation at which its model was saved.

    Parameters
    ----------
    history : list of tuple
        As ``TrainingState.history``; at least one.
    metadata : dict
        The saved model's.

    Attributes
    ----------
    x : sequence of int
        Time of each validation.
    x_name : str
        "epoch"; "minibatch" if an epoch had several validations; "step" if their number
        was given (--n-steps); "iteration of conjugate gradient".
    costs : list of float
        Mean negative log-likelihood of the minibatch before each validation; NaN where
        it is not known, or too large to be drawn.
    validation_errors, test_errors : list of float
        In percent; a test error is that of the model saved by then.
    tested : list of int
        Indices of the validations with a lower error than all before them; of all
        validations if the latest model is saved, not the best.
    test_name : str
        Description of the test errors at `tested`.
    saved : int
        Index of the validation of the saved model.
    saved_name, saved_at : str
        The same in words: "best model" or "latest model", and as in "epoch 73".
    seconds : float
        Duration of the training until the last validation.
    """

    def __init__(self, history, metadata):
        epochs, iters, costs, validation, test, seconds = zip(*history, strict=True)
        self.costs = [cost if abs(cost) < HIGHEST else np.nan for cost in costs]
        minibatches = tuple(last_iter + 1 for last_iter in iters)
        self.validation_errors = [error * 100 for error in validation]
        self.test_errors = [error * 100 for error in test]
        self.seconds = seconds[-1]
        if "step" in metadata:
            self.x, self.x_name = minibatches, "step"
            self.tested = list(range(len(history)))
            self.test_name = "test error of the saved model"
            self.saved_name = "latest model"
            points, saved = minibatches, metadata["step"]
        else:
            self.x, self.x_name = epochs, "epoch"
            if "conjugate gradient" in metadata["trained_by"]:
                self.x_name = "iteration of conjugate gradient"
            elif len(set(epochs)) < len(epochs):
                self.x, self.x_name = minibatches, "minibatch"
            lowest = np.minimum.accumulate([np.inf, *validation])
            self.tested = np.flatnonzero(lowest[1:] < lowest[:-1]).tolist()
            self.test_name = "test error of each new best model"
            self.saved_name = "best model"
            # Not always the last one tested: a run that resumed one of --n-steps had to
            # be better than the latest model of that one, not than its best.
            points = list(zip(epochs, validation, strict=True))
            saved = metadata["epoch"], metadata["validation_error"]
        best = self.tested[-1] if self.tested else len(history) - 1
        self.saved = points.index(saved) if saved in points else best
        self.saved_at = f"{self.x_name.split()[0]} {self.x[self.saved]:,}"
