"""history.csv: a row for each validation of a run, for pandas or a spreadsheet."""

import math


def dumps(history):
    """A ``TrainingState.history`` as the bytes of a history.csv.

    UTF-8, lines that end in LF, first the names of the columns:

    - epoch, counted from 1; for conjugate gradient the iteration;
    - iteration: minibatches trained on so far; for conjugate gradient as epoch;
    - minibatch_cost: mean negative log-likelihood of the last minibatch;
    - validation_error, and test_error of the model saved by then: fractions of 1;
    - seconds of training so far.

    Floats have as many digits as it takes to read the same number back; an unknown
    number is an empty cell.
    """
    text = "epoch,iteration,minibatch_cost,validation_error,test_error,seconds\n"
    for epoch, last_iter, *floats in history:
        # Conjugate gradient does not count minibatches: its iter stays at -1.
        iteration = epoch if last_iter < 0 else last_iter + 1
        known = ["" if math.isnan(value) else repr(float(value)) for value in floats]
        text += ",".join([str(int(epoch)), str(int(iteration)), *known]) + "\n"
    return text.encode()
