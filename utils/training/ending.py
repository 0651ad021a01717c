"""The end of a run: why it came, what is said of it, and the result."""

import math

import pytensor
import pytensor.tensor as T

from .monitor import at_prompt
from .state import TrainingResult


def reason(run, otherwise):
    """Why a run's loop was left: `otherwise` where none of its own limits is it."""
    if run.n_steps is not None and run.iter + 1 >= run.n_steps:
        return "all steps done"
    if run.done_looping and run.patience <= run.iter:
        epoch, best = 0, math.inf
        for row in run.history:
            if row[3] < best * run.improvement_threshold:
                epoch = row[0]
            best = min(best, row[3])
        return f"patience ran out, no significant improvement since epoch {epoch}"
    if run.epoch >= run.arguments["n_epochs"]:
        return f"all {run.unit}s done"
    return otherwise


def summary(run, checkpoint):
    """Where a run was stopped, its best model so far, and how to continue it.

    `checkpoint` is the path of the one that can be resumed; None if none is asked for,
    and empty if there is none yet.
    """
    option, resume = "--checkpoint PATH", f"--resume {checkpoint}"
    if at_prompt():
        option, resume = "checkpoint=PATH", f"resume={str(checkpoint)!r}"
    remedy = f"Resume with {resume}"
    if checkpoint is None:
        remedy = f"A run with {option} can be resumed."
    elif not checkpoint:
        remedy = "There is no checkpoint yet."
    return f"in {run.where}. {run.best_so_far} {remedy}"


def accuracy(errors, givens, n_test, mode):
    """The accuracy of a model over all test examples, compiled and computed: a float.

    Parameters are those of `Run.print_accuracy`.
    """
    # JAX wants to know that images and labels are of one number.
    givens = {
        variable: T.specify_shape(rows, (n_test, *rows.type.shape[1:]))
        for variable, rows in givens.items()
    }
    return 1 - pytensor.function([], errors, givens=givens, mode=mode)()


def result(run):
    """The `TrainingResult` of a run, up to where it is."""
    return TrainingResult(
        best_validation_loss=run.best_validation_loss,
        test_score=run.test_score,
        best_epoch=run.best_epoch,
        n_epochs=run.epoch,
        seconds=run.seconds,
        history=list(run.history),
        model=run.arguments["model"],
        dataset=run.dataset,
        ended_because=run.ended_because,
    )
