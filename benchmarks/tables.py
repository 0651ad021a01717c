"""Tables in Markdown of what `compare.py` measured."""

import os
import platform
from pathlib import Path
from statistics import median

# Measure, and the programs whose quotient it is; "peer" is the fastest one.
RATIOS = (
    ("training epochs/s, C over the fastest peer", "speed", "c", "peer"),
    ("training epochs/s, C over NumPy", "speed", "c", "numpy"),
    ("training epochs/s, C over JAX's jitted scan", "speed", "c", "jax-scan"),
    ("training epochs/s, C over C by hand", "speed", "c", "handwritten"),
    (
        "training epochs/s, C over the training alone of C by hand",
        "speed",
        "c",
        "handwritten-training",
    ),
    ("training epochs/s, Numba over NumPy", "speed", "numba", "numpy"),
    ("training epochs/s, Numba over the fastest peer", "speed", "numba", "peer"),
    ("training epochs/s, JAX over JAX's jitted step", "speed", "jax", "jax-step"),
    ("whole run warm, C over NumPy, time", "warm", "c", "numpy"),
    ("whole run cold, C over NumPy, time", "cold", "c", "numpy"),
    ("whole run cold, Numba over NumPy, time", "cold", "numba", "numpy"),
    ("peak memory, C over NumPy", "memory", "c", "numpy"),
    ("conjugate gradient cold, C over NumPy, time", "cold", "cg", "numpy-cg"),
    ("conjugate gradient, NumPy with SciPy over C, time", "speed", "numpy-cg", "cg"),
)
PEER_KEYS = ("numpy", "pytorch", "jax-step", "jax-scan", "jax-transposed")


def summarise(runs):
    """Return the medians of a program's runs, and all its speeds."""
    both = runs["cold"] + runs["warm"]
    speeds = [run.speed for run in both]
    return {
        "speeds": speeds,
        "speed": median(speeds),
        "cold": median(run.seconds for run in runs["cold"]),
        "warm": median(run.seconds for run in runs["warm"]),
        # Warm: a cold run's peak may be its compiler's.
        "memory": median(run.peak_memory for run in runs["warm"]),
        "test_error": both[-1].test_error,
        "setup": both[-1].setup,
    }


def markdown_table(header, rows):
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def program_table(summaries, baseline, speed_title):
    """Return the table of one script and its peers; ratios are over `baseline`."""
    header = ["program", "test error %", speed_title]
    header += ["whole run cold, s", "warm, s", "peak memory, MiB"]
    base = next((s for p, s in summaries.items() if p.key == baseline), None)

    def cell(program, summary, measure, digits):
        # Its data are decoded before it starts: only its training can be compared.
        if program.is_c and measure != "speed":
            return "–"
        ratio = f" ({summary[measure] / base[measure]:.2f})" if base else ""
        return f"{summary[measure]:.{digits}f}{ratio}"

    rows = [
        [
            program.title,
            f"{summary['test_error']:.6f}",
            f"{cell(program, summary, 'speed', 1)}, {min(summary['speeds']):.1f} to "
            f"{max(summary['speeds']):.1f}",
            cell(program, summary, "cold", 1),
            cell(program, summary, "warm", 1),
            cell(program, summary, "memory", 0),
        ]
        for program, summary in summaries.items()
    ]
    return markdown_table(header, rows)


def ratio_table(summaries):
    """Return the table of `RATIOS`, as far as their programs ran."""
    by_key = {program.key: summary for program, summary in summaries.items()}
    titles = {program.key: program.title for program in summaries}
    peers = [key for key in PEER_KEYS if key in by_key]
    rows = []
    for title, measure, above, below in RATIOS:
        if below == "peer" and peers:
            below = max(peers, key=lambda key: by_key[key]["speed"])
            title += f" ({titles[below]})"
        if above in by_key and below in by_key:
            ratio = by_key[above][measure] / by_key[below][measure]
            rows.append([title, f"{ratio:.2f}"])
    return markdown_table(["measure", "ratio"], rows)


def cpu_model():
    """Return the processor's name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def report(summaries, left_out, dataset, n_runs, load):
    """Return the tables and what they were measured on, as Markdown."""
    n_cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        n_cores = len(os.sched_getaffinity(0))
    threads = os.environ.get("OMP_NUM_THREADS") or f"{n_cores}, one a core"
    parts = [
        f"Machine: {cpu_model()}, {n_cores} cores, {platform.system()}; Python "
        f"{platform.python_version()}; threads: {threads}. Dataset: {dataset.name}. "
        f"Medians of {n_runs} cold and {n_runs} warm runs, taken in turn; after a "
        "training speed the range of all of them. In brackets the ratio to NumPy."
    ]
    if load > 0.25:
        parts.append(
            f"The machine was busy with other work ({load:.1f} processes waited or ran "
            "when the measurement began): these figures are not to be relied on."
        )
    tables = (
        ("SGD, float32, minibatches of 600", False, "numpy", "epochs/s"),
        ("Conjugate gradient, float64, 50 iterations", True, "numpy-cg", "training, s"),
    )
    for title, is_cg, baseline, speed_title in tables:
        chosen = {p: s for p, s in summaries.items() if p.is_cg == is_cg}
        if chosen:
            table = program_table(chosen, baseline, speed_title)
            parts += [f"**{title}**", table]
    parts += ["**Ratios**", ratio_table(summaries), "**Versions**"]
    parts.append(
        "\n".join(
            f"- {program.title}: {summary['setup'] or program.versions()}"
            for program, summary in summaries.items()
        )
    )
    if left_out:
        parts.append("**Left out**")
        parts.append(
            "\n".join(
                f"- {p.title}: {why.splitlines()[0]}" for p, why in left_out.items()
            )
        )
    return "\n\n".join(parts) + "\n"
