"""Show how the cost of training grows, fused against plain, as a table and a figure.

One of examples, features, classes, minibatch and threads is varied at a time, the
others staying at the tutorial's. Every point is measured in a process of its own, on
synthetic bytes with as many zeros as MNIST: there the two compiled functions, with the
fused operation and without, take their blocks of steps in turn, and the medians are
compared.

    python benchmarks/growth.py --output growth.md --figure growth.svg
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from growth_point import Point

POINT_SCRIPT = Path(__file__).resolve().parent / "growth_point.py"
if hasattr(os, "sched_getaffinity"):
    N_CORES = len(os.sched_getaffinity(0))
else:
    N_CORES = os.cpu_count() or 1

VALUES = {
    "examples": (10_000, 30_000, 100_000, 300_000, 1_000_000),
    "features": (64, 256, 784, 3072, 10_000, 30_000, 100_000),
    "classes": (2, 10, 30, 100, 300, 1000),
    "minibatch": (1, 10, 60, 600, 6000, 50_000),
    "threads": tuple(sorted({1, *range(2, N_CORES, 2), N_CORES})),
}


def points(axis):
    """Return the points of one axis.

    Where the features grow the examples get fewer, down to one minibatch, so that the
    images take about as much memory as the tutorial's.
    """
    base = Point()
    for value in VALUES[axis]:
        point = replace(base, **{axis: value})
        if axis == "features":
            n_examples = base.examples * base.features // value
            point = replace(point, examples=max(base.minibatch, n_examples))
        yield point


def measure_in_process(point, backend):
    """Return what `growth_point.measure` returns, with the point's threads."""
    environment = dict(os.environ)
    if point.threads:
        for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            environment[f"{name}_NUM_THREADS"] = str(point.threads)
    done = subprocess.run(
        [sys.executable, str(POINT_SCRIPT), backend, json.dumps(asdict(point))],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"{point} ended with status {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def table(results):
    """Return the Markdown table of ``[(axis, point, what was measured)]``."""
    header = ["varied", "value", "examples", "plain, ms a step", "fused, ms a step"]
    header += ["fused, s an epoch", "plain / fused", "rewritten"]
    rows = [header, ["---", *["---:"] * (len(header) - 1)]]
    for axis, point, seconds in results:
        epoch = seconds["fused"] * (point.examples // point.minibatch)
        rows.append(
            [
                axis,
                f"{getattr(point, axis):,}",
                f"{point.examples:,}",
                f"{seconds['plain'] * 1e3:.3g}",
                f"{seconds['fused'] * 1e3:.3g}",
                f"{epoch:.3g}",
                f"{seconds['plain'] / seconds['fused']:.2f}",
                "yes" if seconds["fires"] else "no",
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


def save_figure(results, path):
    """Draw seconds an epoch over each axis, plain and fused, both logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    axes = list(dict.fromkeys(axis for axis, _, _ in results))
    figure, panels = pyplot.subplots(
        1, len(axes), figsize=(3.2 * len(axes), 3), squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes, panels[0], strict=True):
        of_axis = [(p, seconds) for name, p, seconds in results if name == axis]
        for name, marker in (("plain", "o"), ("fused", "s")):
            panel.loglog(
                [getattr(p, axis) for p, _ in of_axis],
                [s[name] * (p.examples // p.minibatch) for p, s in of_axis],
                marker=marker,
                label=name,
            )
        if axis == "threads":
            panel.set_xscale("linear")
            panel.set_xticks(VALUES[axis])
        panel.set_xlabel(axis)
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("seconds an epoch")
    panels[0, 0].legend()
    figure.savefig(path)


def main():
    """Measure and print; returns the exit status, 1 where a point failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=VALUES, default=list(VALUES), help="what to vary"
    )
    parser.add_argument("--backend", default="c", choices=("c", "numba"))
    parser.add_argument(
        "--max-memory",
        type=float,
        default=3.5,
        metavar="GB",
        help="leave out shapes whose images take more (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, help="write the table here as well")
    parser.add_argument("--figure", type=Path, help="write the figure to this file")
    arguments = parser.parse_args()

    results, n_failed = [], 0
    for axis in arguments.only:
        for point in points(axis):
            if point.data_size > arguments.max_memory * 1e9:
                print(f"left out, too large: {point}", file=sys.stderr)
                continue
            print(f"{axis} {getattr(point, axis):,}", file=sys.stderr)
            try:
                seconds = measure_in_process(point, arguments.backend)
            except RuntimeError as error:
                n_failed += 1
                print(f"growth.py: error: left out, {error}", file=sys.stderr)
            else:
                results.append((axis, point, seconds))
    text = table(results)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    if arguments.figure and results:
        try:
            save_figure(results, arguments.figure)
        except ImportError as error:
            print(f"no figure: {error}; pip install matplotlib", file=sys.stderr)
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
