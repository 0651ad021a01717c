"""How a run learned: its cost and errors after each validation."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .panels import style

# Of Okabe and Ito's palette, which colour-blind people can tell apart.
COST, VALIDATION, TEST = "#333333", "#0072B2", "#D55E00"


@style()
def learning_curve(history, trained_by="minibatch SGD"):
    """Draw minibatch cost, validation error and test error by epoch.

    Parameters
    ----------
    history : list of tuple
        As ``TrainingState.history``; at least one.
    trained_by : str
        As in a model's metadata. Conjugate gradient counts iterations, not epochs.

    Returns
    -------
    matplotlib.figure.Figure
        The test error is drawn where the validation error was the lowest so far, and
        the last of these, the best, is marked in both panels.
    """
    epochs, iters, costs, validation, test, _ = zip(*history, strict=True)
    x, unit = epochs, "epoch"
    if "conjugate gradient" in trained_by:
        unit = "iteration of conjugate gradient"
    elif len(set(epochs)) < len(epochs):  # validated more than once in an epoch
        x, unit = [i + 1 for i in iters], "minibatch"
    bests = [
        i
        for i, error in enumerate(validation)
        if error < min(validation[:i], default=2)
    ]
    best = bests[-1]
    few = "o" if len(x) <= 25 else None

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, costs, color=COST, marker=few, markersize=4)
    left.set_title("Cost of the last minibatch before each validation")
    left.set_ylabel("mean negative log-likelihood")
    right.plot(
        x,
        [error * 100 for error in validation],
        color=VALIDATION,
        marker=few,
        markersize=4,
        label="validation error",
    )
    right.plot(
        [x[i] for i in bests],
        [test[i] * 100 for i in bests],
        color=TEST,
        linestyle=":",
        marker="s",
        markersize=3,
        label="test error of each new best model",
    )
    right.set_title("Errors")
    right.set_ylabel("wrong, %")
    for panel in (left, right):
        panel.axvline(x[best], color="0.5", linestyle="--", linewidth=1, zorder=0)
        panel.set_xlabel(unit)
        panel.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
        )
        panel.set_xlim(min(0, x[0] - 1), max(x) * 1.03 + 0.2)
        panel.grid(alpha=0.25)
    right.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    figure.suptitle(
        f"Best model: {unit.split()[0]} {x[best]:,} (dashed), validation error "
        f"{validation[best] * 100:.2f} %, test error {test[best] * 100:.2f} %"
    )
    return figure
