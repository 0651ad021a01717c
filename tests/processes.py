"""Start the scripts, and programs of the tests, as processes: the one way to do it.

The fixtures `run` and `start` do it in the test's temporary folder.
"""

import csv
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = SGD, CG = "logistic_sgd.py", "logistic_cg.py"
# tmpfs, where there is one: a disk would be waited for.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# Arguments that a dataset's path completes.
TINY = "--batch-size", "10", "--n-epochs", "2", "--dataset"


def start(*command, environment=(), python=(), redirect="", **options):
    """Start Python as a process, without waiting for it.

    It keeps its compiled code where the tests keep theirs; other PYTENSOR_FLAGS of who
    runs the tests do not reach it. It has text pipes for both outputs.

    command : a script, from the repository where its path is not absolute, or ``"-c"``
        and a program; then arguments. Programs, and scripts of other places, can import
        all that the tests can
    environment : changes to this process's; None removes a variable
    python : options of Python
    redirect : redirections in the shell's language, as in ``2>&-``
    options : those of `subprocess.Popen`, such as `cwd`
    """
    from pytensor import config

    changes = {"PYTENSOR_FLAGS": f"base_compiledir={config.base_compiledir}"}
    first, *rest = command
    if first == "-c" or Path(first).is_absolute():
        changes["PYTHONPATH"] = os.pathsep.join(
            [str(REPOSITORY), str(REPOSITORY / "tests")]
        )
    else:
        first = REPOSITORY / first
    variables = {**os.environ, **changes, **dict(environment)}
    arguments = [sys.executable, *python, str(first), *map(str, rest)]
    if redirect:
        arguments = ["sh", "-c", f'"$@" {redirect}', "sh", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        arguments,
        env={
            name: str(value) for name, value in variables.items() if value is not None
        },
        **(pipes | options),
    )


def run(*command, timeout=300, status=None, **options):
    """Run Python as a process to its end; `status`, if given, must be its exit status.

    Other parameters are those of `start`; returns a `subprocess.CompletedProcess`.
    """
    with start(*command, **options) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
    assert status in (None, process.returncode), errors
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def with_peak(function, *arguments):
    """What a function returns, and the most bytes that it took at once."""
    tracemalloc.start()
    try:
        return function(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def fake_compiler(folder, script):
    """Write a shell script as the compiler of a folder; its path."""
    compiler = folder / "g++"
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    compiler.chmod(0o755)
    return str(compiler)


def lines(output):
    """The lines that a script printed, without the rates, which differ between runs."""
    return re.sub(r"with [0-9.]+ (epochs|steps)/sec", "", output).splitlines()


def validation_errors(output):
    """The validation errors that a script printed: percentages, as they are written."""
    return re.findall(r"validation error (\d+\.\d{6}) %", output)


def published_rows(name):
    """A file of what the original program printed, row by row as dicts of text."""
    with open(REPOSITORY / "tests" / "published" / name, newline="") as file:
        return list(csv.DictReader(file))


def published(name):
    """The validation errors in a file of those that the original program printed."""
    return [row["validation_error_percent"] for row in published_rows(name)]


def error_line(finished):
    """The only line on standard error of a script that ended with status 1."""
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert ".py: error: " in line
    return line
