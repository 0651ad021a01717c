"""Files made to run code, or to take a machine's memory or time: all are refused.

All of them are read in one other process, in an empty folder, with little memory above
what its imports take, and with an audit hook that sees whatever Python runs, imports
or opens. The tests look at what came of each.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hostile_archives
import pytest
from fuzz_readers import MEMORY
from hostile_pickles import EXECUTED, HOSTILE

REPOSITORY = Path(__file__).resolve().parents[1]
MEBIBYTES = 256  # above what is taken before the first file is read
# Inflated to the last byte that is allowed, 2**29, in chunks that are joined.
LARGE = {"gzip whole: endless_line"}
LARGE_MEBIBYTES = 1536
SECONDS = 20  # of the process; a bound on hangs, which nothing here comes near
PICKLE_WAYS = ("gzip inside", "pickle protocol_2", "model whole")
PICKLE_WAYS += ("checkpoint whole", "checkpoint content")
TABLES = {way: HOSTILE for way in PICKLE_WAYS} | {
    "idx images": hostile_archives.IDX,
    "idx gzipped": hostile_archives.IDX_GZIP,
    "npz whole": hostile_archives.NPZ,
    "npz images": hostile_archives.NPY,
    "gzip whole": hostile_archives.GZIP,
}
CASES = {
    f"{way}: {name}": (way, raw, named)
    for way, table in TABLES.items()
    for name, (raw, named) in table.items()
}


def read_all():
    """In a process of its own: what comes of each case, as JSON."""
    from readers import READERS

    events = []
    sys.addaudithook(lambda event, _: events.append(event))
    folder = Path(tempfile.mkdtemp(dir="."))
    # Modules that are imported when they are first used are no hostile file's doing.
    for ways in READERS.values():
        for reader in ways.values():
            reader.try_bytes(folder, reader.seed)
    outcomes = {}
    for case, (way, raw, _) in CASES.items():
        group, name = way.split()
        reader = READERS[group][name]
        path = reader.write(folder, raw)
        before = set(os.listdir("."))
        limit_memory(LARGE_MEBIBYTES if case in LARGE else MEBIBYTES)
        events.clear()
        start = time.process_time()
        try:
            found = reader.read(path)
        except BaseException as error:
            found = error.with_traceback(None)
        seconds, seen = time.process_time() - start, sorted(set(events))
        limit_memory(None)
        outcomes[case] = {
            "refused": type(found) is reader.error,
            "message": f"{type(found).__name__}: {found}"[:2000],
            "seconds": seconds,
            "events": seen,
            "made": sorted(set(os.listdir(".")) - before),
        }
    print(json.dumps(outcomes))


def limit_memory(mebibytes):
    """Limit the memory of this process to so much more than it has now, or not."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = resource.RLIM_INFINITY
    if mebibytes is not None:
        limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


@pytest.fixture(scope="module")
def outcomes():
    with tempfile.TemporaryDirectory(dir=MEMORY) as empty:
        run = subprocess.run(
            [sys.executable, __file__],
            cwd=empty,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("case", CASES)
def test_hostile_file_is_refused(outcomes, case):
    outcome, named = outcomes[case], CASES[case][2]
    assert outcome["refused"], outcome["message"]
    # A refusal for want of memory would not name what is asked for.
    assert re.search(named, outcome["message"])
    assert len(outcome["message"]) < 1000
    assert outcome["seconds"] < SECONDS
    assert set(outcome["events"]) <= {"open", "mmap.__new__"} and not outcome["made"]


@pytest.mark.parametrize("name", EXECUTED)
def test_hostile_pickle_is_hostile(executed, name):
    assert [made.partition(".")[0] for made in executed[name]] == ["executed"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """What files each of the pickles makes when Python's own machine runs it."""
    program = (
        "import os, pickle, sys, time\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from hostile_pickles import EXECUTED\n"
        "for name, (raw, _) in EXECUTED.items():\n"
        "    os.mkdir(name)\n"
        "    os.chdir(name)\n"
        "    try:\n"
        "        pickle.loads(raw)\n"
        "    except Exception:\n"
        "        pass\n"
        "    for _ in range(500):\n"
        "        if os.listdir():\n"
        "            break\n"
        "        time.sleep(0.01)\n"
        "    os.chdir('..')\n"
    )
    folder = tmp_path_factory.mktemp("executed")
    command = [sys.executable, "-c", program, str(REPOSITORY / "tests")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return {path.name: os.listdir(path) for path in folder.iterdir()}


if __name__ == "__main__":
    read_all()
