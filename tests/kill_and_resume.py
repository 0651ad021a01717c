"""Kill runs with SIGKILL at random moments, resume them, and compare with one unbroken.

Each trial starts a run with ``--checkpoint``, kills it a random time after a random
line of its output, resumes it to its end, and checks that

- what the killed run printed is the beginning of what the unbroken run prints, and what
  the resumed one prints is the end of it, with no line missing between them;
- the parameters in ``best_model.pkl`` are those of the unbroken run, byte for byte;
- model and checkpoint can be read at every moment.

    python tests/kill_and_resume.py 100 --dataset mnist.pkl.gz
"""

import argparse
import random
import shlex
import sys
import tempfile
import time
from pathlib import Path

from processes import REPOSITORY, SCRIPTS, lines, start

sys.path.insert(0, str(REPOSITORY))

from cut_off import saved  # noqa: E402

from utils.training import checkpoint_file  # noqa: E402


def finish(process):
    """The lines of a process that must end well, and its seconds."""
    begin = time.perf_counter()
    # `communicate` would miss what `readline` has taken into its buffer.
    output, errors = process.stdout.read(), process.stderr.read()
    if process.wait():
        raise AssertionError(f"exit status {process.returncode}: {errors}")
    return lines(output), time.perf_counter() - begin


def parameters(folder):
    """The bytes of the parameters in the folder's model."""
    return saved(folder / "best_model.pkl")[0]


def kill(script, folder, arguments, n_lines, delay):
    """Kill a run after `n_lines` lines and `delay` seconds.

    Returns the lines that it printed; None where it had ended before.
    """
    command = script, "--quiet", *arguments, "--checkpoint", "run.ckpt"
    process = start(*command, cwd=folder)
    output = "".join(process.stdout.readline() for _ in range(n_lines))
    time.sleep(delay)
    process.kill()
    output += process.stdout.read()
    process.wait()
    # The last line may have been cut in the middle.
    whole = output[: output.rfind("\n") + 1]
    return lines(whole) if process.returncode < 0 else None


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def trial(script, arguments, unbroken, expected, epoch_seconds, rng):
    """Kill one run and resume it; False where there was none to kill, or to resume."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_lines, delay = rng.randrange(4, len(unbroken)), rng.uniform(0, epoch_seconds)
        first = kill(script, folder, arguments, n_lines, delay)
        if first is None or not (folder / "run.ckpt").exists():
            return False
        where = f"killed after {len(first)} lines"
        check(first == unbroken[: len(first)], f"{where}: other lines than unbroken")
        checkpoint_file.read(folder / "run.ckpt")
        if (folder / "best_model.pkl").exists():
            parameters(folder)
        rest, _ = finish(start(script, "--quiet", "--resume", "run.ckpt", cwd=folder))
        check(rest == unbroken[-len(rest) :], f"{where}: resumed with other lines")
        check(len(first) + len(rest) >= len(unbroken), f"{where}: lines are missing")
        check(parameters(folder) == expected, f"{where}: parameters differ")
        return True


def kill_and_resume(script, count, arguments, seed=0):
    """Kill `count` runs; returns how often the moment was too early or too late.

    Parameters
    ----------
    script : str
        From the repository, or the path of a changed copy.
    count : int
        Kills of runs that had a checkpoint and had not ended.
    arguments : list of str
        The script's arguments.
    seed : int
        Seed of the random moments.

    Returns
    -------
    int

    Raises
    ------
    AssertionError
        Naming the moment and what differed.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        process = start(script, "--quiet", *arguments, cwd=name)
        head = [process.stdout.readline() for _ in range(3)]
        rest, seconds = finish(process)
        unbroken = lines("".join(head)) + rest
        expected = parameters(Path(name))
    epochs = sum("validation error" in line for line in unbroken)
    done = missed = 0
    while done < count:
        if trial(script, arguments, unbroken, expected, 2 * seconds / epochs, rng):
            done += 1
            print(f"\r{script}: {done} of {count} kills", end="", file=sys.stderr)
        else:
            missed += 1
            check(missed <= 10 * count + 10, "no moment to kill at: a longer run?")
    print(file=sys.stderr)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, help="kills of each script")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--script", nargs="*", default=SCRIPTS, help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--options",
        default="",
        help="more options of the script, such as '--backend numba --n-steps 3000'",
    )
    options = parser.parse_args()
    arguments = ["--dataset", options.dataset, *shlex.split(options.options)]
    for script in options.script:
        missed = kill_and_resume(script, options.count, arguments, options.seed)
        print(
            f"{script}: {options.count} runs killed and resumed, all as the unbroken "
            f"one ({missed} more ended first, or had no checkpoint yet)"
        )


if __name__ == "__main__":
    main()
