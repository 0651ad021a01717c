"""One run of a program in a process of its own, and what it costs."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

TIME_LIMIT = 1800  # seconds; a run that hangs must not hang the comparison

TEST_ERROR = re.compile(r"with test performance ([\d.]+) %")
EPOCHS_PER_SECOND = re.compile(r"epochs, with ([\d.]+) epochs/sec")
TRAINING_SECONDS = re.compile(r"The code for file \S+ ran for ([\d.]+)s")
SETUP = re.compile(r"^setup: (.+)$", re.MULTILINE)


class RunError(RuntimeError):
    """A program that failed, or that did not print the tutorial's last lines."""


@dataclass(frozen=True)
class Run:
    """Cost and result of one run.

    Attributes
    ----------
    seconds : float
        Wall time from start to end of the process.
    peak_memory : float
        Largest resident size of the process, or of a child of its own, MiB.
    test_error : float
        Of the best model, percent.
    speed : float
        Training epochs a second for SGD; the training's seconds for conjugate
        gradient.
    setup : str
        Versions and threads as the program told them; "" where it does not.
    """

    seconds: float
    peak_memory: float
    test_error: float
    speed: float
    setup: str


def number(pattern, text, command):
    """Return the last number that `pattern` finds in what `command` printed."""
    found = pattern.findall(text)
    if not found:
        raise RunError(
            f"its output has no line like {pattern.pattern!r}. The command:\n"
            f"{' '.join(command)}\nIts last lines:\n{last_lines(text)}"
        )
    return float(found[-1])


def last_lines(text, n=5):
    return "\n".join(text.strip().splitlines()[-n:])


def run(command, environment, folder, speed_pattern=EPOCHS_PER_SECOND):
    """Run `command` and measure the whole of it.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    environment : dict
        Its environment variables.
    folder : pathlib.Path
        Where it runs.
    speed_pattern : re.Pattern
        Finds the number for `Run.speed` in its output.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If it exits with another status than 0, takes more than `TIME_LIMIT`, or
        prints no result.
    """
    # Linux counts the parent's peak memory for a child until the child has started
    # its program, so this process must stay small: it imports no library and keeps
    # the output in a file.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        watchdog = threading.Timer(TIME_LIMIT, process.kill)
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RunError(
            f"ended with status {process.returncode} after {seconds:.0f} s (the limit "
            f"is {TIME_LIMIT} s): {last_lines(text, 1)}\nThe command:\n"
            f"{' '.join(command)}\nIts last lines:\n{last_lines(text)}"
        )
    setup = SETUP.search(text)
    return Run(
        seconds=seconds,
        # Kilobytes on Linux, bytes on macOS.
        peak_memory=usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        test_error=number(TEST_ERROR, text, command),
        speed=number(speed_pattern, text, command),
        setup=setup[1] if setup else "",
    )
