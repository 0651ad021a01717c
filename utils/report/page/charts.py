"""How a run learned, as inline SVG."""

import math
from html import escape

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 38
MOST_POINTS = 600


def learning_curves(history, trained_by):
    """Two charts: the errors, and the minibatch cost, at each validation.

    Parameters
    ----------
    history : list of tuple
        As ``TrainingState.history``; at least one.
    trained_by : str
        Conjugate gradient counts iterations, not epochs.

    Returns
    -------
    str
        HTML. The test error is drawn where the validation error was the lowest so far;
        the last of these, the best, is marked.
    """
    epochs, iters, costs, validation, test, _ = zip(*history, strict=True)
    x, unit = epochs, "iteration" if "conjugate" in trained_by else "epoch"
    if len(set(epochs)) < len(epochs):  # validated more than once in an epoch
        x, unit = [i + 1 for i in iters], "minibatch"
    lowest = [min(validation[: i + 1]) for i in range(len(x))]
    bests = [i for i in range(len(x)) if i == 0 or lowest[i] < lowest[i - 1]]
    best = x[bests[-1]]
    errors = {
        "validation error": [(x[i], validation[i] * 100) for i in range(len(x))],
        "test error of each new best model": [(x[i], test[i] * 100) for i in bests],
    }
    cost = {"cost of the last minibatch": list(zip(x, costs, strict=True))}
    summary = (
        f"validation error {validation[0] * 100:.2f} % at first, "
        f"{validation[bests[-1]] * 100:.2f} % at best, at {unit} {best:,}"
    )
    change = f"{costs[0]:.3g} at first, {costs[-1]:.3g} at last"
    return (
        f'<div class="charts">\n{_chart("Wrong, in %", errors, unit, best, summary)}\n'
        + _chart("Mean negative log-likelihood", cost, unit, best, change)
        + "</div>"
    )


def _chart(title, series, unit, best, summary):
    """A figure with one line for each of the series, and a dashed one at the best."""
    lines = {name: _finite(points) for name, points in series.items()}
    points = [point for line in lines.values() for point in line]
    if not points:
        return f"<p>{escape(title)}: no finite numbers.</p>"
    x_ticks = _ticks(0, max(x for x, _ in points), 5, whole=True)
    y_ticks = _ticks(min(y for _, y in points), max(y for _, y in points), 5)
    x_end = max(x_ticks[-1], max(x for x, _ in points))

    def place(x, y):
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / x_end,
            HEIGHT
            - BOTTOM
            - (HEIGHT - TOP - BOTTOM) * (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]),
        )

    axes = "".join(_y_tick(place(0, y)[1], y) for y in y_ticks)
    axes += "".join(_x_tick(place(x, 0)[0], x) for x in x_ticks)
    drawn = "".join(
        _line([place(*point) for point in line], f"series{number}")
        for number, line in enumerate(lines.values())
    )
    at_best = place(best, 0)[0]
    legend = "".join(
        f'<li class="series{number}">{escape(name)}</li>'
        for number, name in enumerate(lines)
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: {escape(summary)}">{axes}'
        f'<line class="best" x1="{at_best:.1f}" x2="{at_best:.1f}" y1="{TOP}" '
        f'y2="{HEIGHT - BOTTOM}"/>{drawn}'
        f'<text class="unit" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}">{unit}</text></svg>'
        f'<ul class="legend">{legend}<li class="best">best {unit}: {best:,}</li></ul>'
        "</figure>"
    )


def _finite(points):
    """The points that are numbers, thinned to at most MOST_POINTS, the last kept."""
    kept = [point for point in points if math.isfinite(point[1])]
    step = -(-len(kept) // MOST_POINTS) or 1
    return kept[-1::-step][::-1]


def _ticks(low, high, n, whole=False):
    """About `n` round numbers from below `low` to above `high`."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / n))
    step = next(m * power for m in (1, 2, 5, 10) if m * power * n >= span)
    if whole:
        step = max(1, round(step))
        return [i * step for i in range(math.floor(high / step) + 1)]
    first, last = math.floor(low / step), math.ceil(high / step)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _y_tick(y, value):
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="y" x="{LEFT - 6}" y="{y + 4:.1f}">{value:.4g}</text>'
    )


def _x_tick(x, value):
    y = HEIGHT - BOTTOM
    return f'<text class="x" x="{x:.1f}" y="{y + 16}">{value:,}</text>'


def _line(places, name):
    if len(places) == 1:
        x, y = places[0]
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="{name}" points="{path}"/>'
