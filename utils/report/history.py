"""history.csv: a row for each validation of a run, for pandas or a spreadsheet."""

import csv
import io
import math

COLUMNS = (
    "epoch",
    "iteration",
    "minibatch_cost",
    "validation_error",
    "test_error",
    "seconds",
)


def dumps(history):
    """The bytes of a history.csv.

    Parameters
    ----------
    history : list of tuple
        As ``TrainingState.history``.

    Returns
    -------
    bytes
        UTF-8, lines that end in LF, first the names of `COLUMNS`:

        - epoch, counted from 1; for conjugate gradient the iteration;
        - iteration: minibatches trained on so far; for conjugate gradient as epoch;
        - minibatch_cost: mean negative log-likelihood of the last minibatch;
        - validation_error, and test_error of the model saved by then: fractions of 1;
        - seconds of training so far.

        Floats have as many digits as it takes to read the same number back; an unknown
        number is an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for epoch, last_iter, *floats in history:
        # Conjugate gradient does not count minibatches: its iter stays at -1.
        iteration = epoch if last_iter < 0 else last_iter + 1
        known = ["" if math.isnan(value) else repr(float(value)) for value in floats]
        writer.writerow([int(epoch), int(iteration), *known])
    return text.getvalue().encode()
