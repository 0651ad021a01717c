"""Run this project beside NumPy, PyTorch, JAX, scikit-learn and C, and print tables.

Each program runs in its own process, several times in turn, on the same data: first
cold, with every cache empty and of its own, then warm, with the caches that the cold
run of the same round left. Missing programs are left out and named.

    python benchmarks/compare.py --dataset mnist.pkl.gz --output benchmarks.md
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import measuring
import programs
import tables
from programs import PROGRAMS

TOLERANCE = 0.05  # percentage points from the tutorial's test error


def parse_arguments():
    keys = [program.key for program in PROGRAMS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dataset",
        type=Path,
        default=os.environ.get("LOGREG_DATA", "mnist.pkl.gz"),
        help="mnist.pkl.gz or a folder of the four IDX files of MNIST (default: what "
        "LOGREG_DATA names, otherwise ./mnist.pkl.gz)",
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="rounds of cold and warm runs (default: 3)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=keys,
        metavar="NAME",
        default=keys,
        help=f"the programs to run, of: {', '.join(keys)} (default: all)",
    )
    parser.add_argument(
        "--output", type=Path, help="write the tables to this file as well"
    )
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error(f"--runs: expected 1 or more, found {arguments.runs}")
    if not arguments.dataset.exists():
        parser.error(
            f"--dataset: {arguments.dataset} does not exist; name mnist.pkl.gz or a "
            "folder of the four IDX files"
        )
    return arguments


def run_in_turn(chosen, dataset, n_runs, folder):
    """Run the programs in rounds: each cold, then each warm.

    Returns
    -------
    results : dict
        By program: ``{"cold": [Run, ...], "warm": [Run, ...]}``.
    failures : dict
        By program: why it was left out.
    """
    results = {program: {"cold": [], "warm": []} for program in chosen}
    failures = {}
    commands = {}
    for n, state in ((n, state) for n in range(n_runs) for state in ("cold", "warm")):
        for program in results:
            if program in failures:
                continue
            print(f"{n + 1}/{n_runs} {state}: {program.title}", file=sys.stderr)
            place = folder / f"{program.key}-{n}"
            place.mkdir(exist_ok=True)
            try:
                if program.is_c and program not in commands:
                    commands[program] = programs.build_handwritten(
                        program, dataset, folder
                    )
                run = measuring.run(
                    commands.get(program)
                    or programs.command_line(program, dataset, place),
                    programs.environment(program, place),
                    place,
                    measuring.TRAINING_SECONDS
                    if program.is_cg
                    else measuring.EPOCHS_PER_SECOND,
                )
            except RuntimeError as error:
                failures[program] = str(error)
            else:
                results[program][state].append(run)
    complete = {p: runs for p, runs in results.items() if p not in failures}
    return complete, failures


def wrong_errors(summaries):
    """Return a line for each program that misses the tutorial's test error."""
    return [
        f"{program.title}: test error {summary['test_error']:f} %, expected "
        f"{program.test_error} % within {TOLERANCE}: is the dataset MNIST, with "
        "pixels byte / 256?"
        for program, summary in summaries.items()
        if program.test_error is not None
        and not abs(summary["test_error"] - program.test_error) <= TOLERANCE
    ]


def main():
    """Measure and print; returns the exit status, 1 where a program went wrong."""
    arguments = parse_arguments()
    chosen = [program for program in PROGRAMS if program.key in arguments.only]
    missing = {p: f"needs {p.missing()}" for p in chosen if p.missing()}
    chosen = [program for program in chosen if program not in missing]
    # Ended from outside, it still ends its child and removes the temporary folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        results, failures = run_in_turn(
            chosen, arguments.dataset.resolve(), arguments.runs, Path(folder)
        )
    summaries = {program: tables.summarise(runs) for program, runs in results.items()}
    text = tables.report(
        summaries, missing | failures, arguments.dataset, arguments.runs, load
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    wrong = wrong_errors(summaries)
    for line in [*wrong, *(f"{p.title}: {why}" for p, why in failures.items())]:
        print(f"compare.py: error: {line}", file=sys.stderr)
    return 1 if wrong or failures else 0


if __name__ == "__main__":
    sys.exit(main())
