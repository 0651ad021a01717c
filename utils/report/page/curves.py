"""The learning curves, as inline SVG."""

import math
from html import escape

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 38
MOST_POINTS = 600


def learning_curves(curves):
    """Two charts: the errors, and the minibatch cost, at each validation."""
    x, validation, test = curves.x, curves.validation_errors, curves.test_errors
    errors = {
        "validation error": list(zip(x, validation, strict=True)),
        curves.test_name: [(x[i], test[i]) for i in curves.tested],
    }
    costs = {"cost of the last minibatch": list(zip(x, curves.costs, strict=True))}
    summary = (
        f"validation error {validation[0]:.2f} % at first, {validation[-1]:.2f} % at "
        f"last; {curves.saved_name}: {validation[curves.saved]:.2f} %, at "
        f"{curves.saved_at}"
    )
    change = f"{curves.costs[0]:.3g} at first, {curves.costs[-1]:.3g} at last"
    return (
        f'<div class="charts">\n{_chart("Wrong, in %", errors, curves, summary)}\n'
        + _chart("Mean negative log-likelihood", costs, curves, change)
        + "</div>"
    )


def _chart(title, series, curves, summary):
    """A figure with a line for each of the series, and a dashed one at the model."""
    lines = {name: _finite(points) for name, points in series.items()}
    points = [point for line in lines.values() for point in line]
    if not points:
        return f"<p>{escape(title)}: no finite numbers.</p>"
    x_ticks = _ticks(0, max(x for x, _ in points), 5, whole=True)
    y_ticks = _ticks(min(y for _, y in points), max(y for _, y in points), 5)
    x_end = max(x_ticks[-1], max(x for x, _ in points), 1)

    def across(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * x / x_end

    def down(y):
        share = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    svg = legend = ""
    for y in y_ticks:
        svg += (
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(y):.1f}" '
            f'y2="{down(y):.1f}"/><text class="y" x="{LEFT - 6}" y="{down(y) + 4:.1f}">'
            f"{y:.4g}</text>"
        )
    for x in x_ticks:
        svg += (
            f'<text class="x" x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}">{x:,}'
            "</text>"
        )
    saved = across(curves.x[curves.saved])
    svg += (
        f'<line class="saved" x1="{saved:.1f}" x2="{saved:.1f}" y1="{TOP}" '
        f'y2="{HEIGHT - BOTTOM}"/>'
    )
    for number, (name, line) in enumerate(lines.items()):
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line)
        svg += f'<polyline class="series{number}" points="{path}"/>'
        if len(line) == 1:  # of which a line shows nothing
            cx, cy = path.split(",")
            svg += f'<circle class="series{number}" cx="{cx}" cy="{cy}" r="3"/>'
        legend += f'<li class="series{number}">{escape(name)}</li>'
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: {escape(summary)}">{svg}'
        f'<text class="unit" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}">{curves.x_name}'
        f'</text></svg><ul class="legend">{legend}<li class="saved">'
        f"{curves.saved_name}: {curves.saved_at}</li></ul></figure>"
    )


def _finite(points):
    """The points that are numbers, thinned to at most MOST_POINTS, the last kept."""
    kept = [point for point in points if math.isfinite(point[1])]
    step = -(-len(kept) // MOST_POINTS) or 1
    return kept[-1::-step][::-1]


def _ticks(low, high, n, whole=False):
    """About `n` round numbers from below `low` to above `high`."""
    span = max((high - low) or abs(high) or 1.0, 1e-300)  # a tenth of it is above 0
    power = 10.0 ** math.floor(math.log10(span / n))
    step = next(m * power for m in (1, 2, 5, 10) if m * power * n >= span)
    if whole:
        step = max(1, round(step))
        return [i * step for i in range(math.floor(high / step) + 1)]
    first, last = math.floor(low / step), math.ceil(high / step)
    return [i * step for i in range(first, max(last, first + 1) + 1)]
