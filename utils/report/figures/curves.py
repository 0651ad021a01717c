"""The learning curves: cost and errors after each validation."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import style

# Of Okabe and Ito's palette, which colour-blind people can tell apart.
COST, VALIDATION, TEST = "#333333", "#0072B2", "#D55E00"
MOST_MARKERS = 1000  # an SVG has an element for each


@style()
def learning_curve(curves):
    """Draw costs and errors, with the validation of the saved model marked."""
    x, validation, test = curves.x, curves.validation_errors, curves.test_errors
    dots = {"marker": "o" if len(x) <= 25 else None, "markersize": 4}
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, curves.costs, color=COST, **dots)
    left.set_title("Cost of the last minibatch before each validation")
    left.set_ylabel("mean negative log-likelihood")
    right.plot(x, validation, color=VALIDATION, label="validation error", **dots)
    right.plot(
        [x[i] for i in curves.tested],
        [test[i] for i in curves.tested],
        color=TEST,
        linestyle=":",
        marker="s" if len(curves.tested) <= MOST_MARKERS else None,
        markersize=3,
        label=curves.test_name,
    )
    right.set_title("Errors")
    right.set_ylabel("wrong, %")
    saved = x[curves.saved]
    for panel in (left, right):
        panel.axvline(saved, color="0.5", linestyle="--", linewidth=1, zorder=0)
        panel.set_xlabel(curves.x_name)
        ticks = MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
        panel.xaxis.set_major_locator(ticks)
        panel.set_xlim(min(0, x[0] - 1), max(x) * 1.03 + 0.2)
        panel.grid(alpha=0.25)
    right.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    figure.suptitle(
        f"{curves.saved_name.capitalize()}: {curves.saved_at} (dashed), validation "
        f"error {validation[curves.saved]:.2f} %, test error {test[curves.saved]:.2f} %"
    )
    return figure
