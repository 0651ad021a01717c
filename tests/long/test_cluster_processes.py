"""Clusters of real processes: started, worked, killed, misled and gone.

`logistic_cg.py` runs as a person runs it; workers are its own, or started by hand.
"""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from subprocess import DEVNULL

import numpy as np
import pytest
from processes import CG, REPOSITORY

pytest.importorskip("distributed", reason="needs the extra `cluster`")
psutil = pytest.importorskip("psutil")

DASK = Path(sys.executable).parent / "dask"
SECONDS = 120  # in which any process here must have ended
PATIENCE = 30  # seconds for what is promised within 15: a busy machine has them


@pytest.fixture
def folder(tmp_path):
    """Empty but for `set`, ill-conditioned so that training takes many iterations."""
    write_set(tmp_path / "set", seed=5)
    return tmp_path


def write_set(path, seed, n_train=2400):
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True)
    scales = np.geomspace(3, 256, 60).astype(int)
    for name, n in ("train", n_train), ("test", 200):
        np.save(path / f"x_{name}.npy", rng.integers(0, scales, (n, 60), np.uint8))
        np.save(path / f"y_{name}.npy", np.arange(n, dtype=np.uint8) % 5)


@pytest.fixture
def begin(start, folder):
    """Start Python in a process group of its own, as a terminal does."""
    started = []

    def call(*command, cwd=folder, **environment):
        variables = {"OMP_NUM_THREADS": 1, "PYTHONPATH": REPOSITORY} | environment
        options = {"cwd": cwd, "environment": variables, "start_new_session": True}
        if command[0] == DASK:  # it writes a log, which nobody reads
            options |= {"stdout": DEVNULL, "stderr": DEVNULL}
        run = start(*command, **options)
        started.append(run)
        return run

    yield call
    for run in started:
        if run.poll() is None:
            for child in family(run):
                child.kill()


@pytest.fixture
def train(begin):
    """Start `logistic_cg.py`."""

    def call(*arguments, dataset="set", n_epochs=400):
        options = ["--dataset", dataset, "--batch-size", 20, "--n-epochs", n_epochs]
        return begin(CG, *options, *arguments)

    return call


def until(stream, text, count=1):
    """Read until a line with a text has come `count` times; the lines so far."""
    lines = []
    while sum(text in line for line in lines) < count:
        lines.append(stream.readline())
        assert lines[-1], f"it ended before {text!r}: {lines}"
    return lines


def until_training(process):
    """Read until the second iteration has ended; the lines so far."""
    return until(process.stdout, "validation error", 2)


def rest(process):
    """The lines that are left, and standard error's."""
    # `communicate` would miss what `readline` has taken into its buffer.
    output = process.stdout.readlines()
    errors = process.stderr.read().splitlines()
    process.wait(SECONDS)
    return output, errors


def family(process):
    """A process's descendants."""
    return psutil.Process(process.pid).children(recursive=True)


def workers_of(process):
    return [p for p in family(process) if "spawn_main" in " ".join(p.cmdline())]


def assert_gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []


def test_killed_worker_and_number_of_workers_change_no_bit(train, folder):
    runs = []
    for name, workers, kills in ("one", 1, 0), ("killed", 2, 1):
        model = folder / f"{name}.pkl"
        arguments = ["--workers", workers, "--shards", 4, "--model", model]
        run = train(*arguments, n_epochs=150)
        lines, family_ = until_training(run), family(run)
        for victim in workers_of(run)[:kills]:
            victim.kill()
        output, errors = rest(run)
        assert run.returncode == 0, errors
        assert_gone(family_)
        assert sum("was lost, 1 left" in line for line in errors) == kills
        assert sum("dashboard: http://127.0.0.1:" in line for line in errors) == 1
        left = workers - kills
        assert any(
            re.search(rf"^\.\.\. \d+ evaluations, {left} workers, [\d,]+ examples/s", e)
            for e in errors
        )
        runs.append((lines + output, model.read_bytes()))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "name, to_all, status, said",
    [
        ("SIGINT", True, 130, ["stopped by SIGINT in iteration"]),
        ("SIGTERM", False, 143, ["stopped by SIGTERM in iteration"]),
        ("SIGKILL", False, -9, []),
    ],
)
def test_signal_leaves_no_process(train, name, to_all, status, said):
    """Ctrl-C goes to all processes of a terminal, the others to the script."""
    run = train("--workers", 2, "--quiet")
    until_training(run)
    others = family(run)
    assert len(workers_of(run)) == 2
    (os.killpg if to_all else os.kill)(run.pid, getattr(signal, name))
    _, errors = rest(run)
    assert run.returncode == status
    # Python's own helper for spawned processes speaks where its parent was killed.
    errors = [line for line in errors if "resource_tracker" not in line]
    errors = [line for line in errors if not line.startswith("  warnings.warn")]
    assert len(errors) == len(said)
    assert all(part in line for part, line in zip(said, errors, strict=True))
    assert_gone(others)


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_sigterm_while_workers_start(train, seconds):
    run = train("--workers", 2)
    until(run.stderr, "starting 2 worker processes")
    time.sleep(seconds)
    others = family(run)
    run.terminate()
    _, (*notices, line) = rest(run)
    assert run.returncode == 143
    assert line.startswith("logistic_cg.py: stopped by SIGTERM ")
    assert [n for n in notices if not n.startswith("... ")] == []
    assert_gone(others)


class ByHand:
    """A scheduler and workers, each started by a command of its own."""

    def __init__(self, begin, folder):
        self._begin, file = begin, folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", 0, "--dashboard-address", ":0"]
        options += ["--scheduler-file", file]
        # The scheduler needs nothing of this program.
        self.scheduler = begin(DASK, "scheduler", *options, PYTHONPATH=None)
        _wait(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def worker(self, **options):
        """Start a worker, and wait until the scheduler has it."""
        before = self.n_workers()
        process = self._begin(
            *[DASK, "worker", self.address, "--nthreads", 1, "--memory-limit", 0],
            *["--no-nanny", "--no-dashboard"],
            **options,
        )
        _wait(lambda: self.n_workers() == before + 1)
        return process

    def n_workers(self):
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return len(client.scheduler_info(n_workers=-1)["workers"])

    def end(self, process):
        before = self.n_workers()
        process.kill()
        _wait(lambda: self.n_workers() == before - 1)


def _wait(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux's /proc")
def test_scheduler_and_workers_started_by_hand(begin, train, folder):
    """One cluster's life: it works, is misled by a worker, loses one, and is gone."""
    write_set(folder / "other" / "set", seed=6)
    (folder / "empty").mkdir()
    # An older program, found before this one, whether that is installed or not.
    (folder / "older").mkdir()
    (folder / "older" / "logistic_cg.py").touch()
    older = os.pathsep.join([str(folder / "older"), str(REPOSITORY)])
    by_hand = ByHand(begin, folder)
    at = ["--scheduler", by_hand.address]
    # Each process looks there from its own folder.
    dataset = "/proc/self/cwd/set"

    run = train(*at, dataset=dataset)
    _, (*_, line) = rest(run)
    assert run.returncode == 1
    assert "the scheduler has no workers" in line and "dask worker tcp://" in line

    here = train(dataset=dataset, n_epochs=5)
    first = by_hand.worker()
    run = train(*at, dataset=dataset, n_epochs=5)
    output, errors = rest(run)
    assert run.returncode == 0, errors
    assert output == rest(here)[0]

    for cwd, pythonpath, found in [
        (folder / "other", REPOSITORY, r".*: expected the data .*, found 2000 \+ 400"),
        (folder / "empty", REPOSITORY, r"/proc/self/cwd/set: .*"),
        (folder, older, r".*'compile_functions'.*All machines need the same version"),
    ]:
        stranger = by_hand.worker(cwd=cwd, PYTHONPATH=pythonpath)
        run = train(*at, "--quiet", dataset=dataset)
        _, (line,) = rest(run)
        assert run.returncode == 1
        assert re.match(
            rf"logistic_cg.py: error: worker tcp://127.0.0.1:\d+: {found}", line
        )
        by_hand.end(stranger)

    # A second one joins in the middle, then the first is killed, then all.
    write_set(folder / "long", seed=7, n_train=100_000)
    run = train(*at, dataset="long", n_epochs=100_000)
    until_training(run)
    second = by_hand.worker()
    until(run.stderr, "joined, 2 at work")
    first.kill()
    until(run.stderr, "was lost, 1 left")
    before = time.monotonic()
    second.kill()
    _, (*_, line) = rest(run)
    assert time.monotonic() - before < PATIENCE
    assert run.returncode == 1
    assert line.startswith("logistic_cg.py: error: all workers are gone: ")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_scheduler_that_ends_in_the_middle(begin, train, folder, name):
    by_hand = ByHand(begin, folder)
    by_hand.worker()
    write_set(folder / "long", seed=7, n_train=100_000)
    run = train("--scheduler", by_hand.address, dataset="long", n_epochs=100_000)
    until_training(run)
    by_hand.scheduler.send_signal(getattr(signal, name))
    _, (*notices, line) = rest(run)
    assert run.returncode == 1
    said = f"logistic_cg.py: error: {by_hand.address}: the scheduler is gone "
    assert line.startswith(said)
    assert [n for n in notices if not n.startswith("... ")] == []
