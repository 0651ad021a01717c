"""Files made to run code, or to take a machine's memory or time: all are refused.

All of them are read in one other process, in an empty folder, with little memory above
what its imports take, and with an audit hook that sees whatever Python runs, imports
or opens. The tests look at what came of each.
"""

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import hostile_archives
from hostile_pickles import HOSTILE
from processes import MEMORY, REPOSITORY, run

MEBIBYTES = 256  # above what is taken before the first file is read
# Inflated to the last byte that is allowed, 2**29.
LARGE = SLOW = {"gzip whole: endless_elements"}
LARGE_MEBIBYTES = 768
SECONDS = 20  # of the process; a bound on hangs, which nothing here comes near
TABLES = [
    (("gzip inside", "pickle protocol_2", "model whole"), HOSTILE),
    (("npz images", "checkpoint array"), hostile_archives.NPY),
    (("idx images",), hostile_archives.IDX),
    (("idx gzipped",), hostile_archives.IDX_GZIP),
    (("npz whole",), hostile_archives.NPZ),
    (("gzip whole",), hostile_archives.GZIP),
    (("checkpoint whole",), hostile_archives.CHECKPOINT),
    (("checkpoint json",), hostile_archives.CHECKPOINT_JSON),
]
# Each file with each of its readers.
CASES = {
    f"{way}: {name}": (way, *case)
    for ways, table in TABLES
    for way in ways
    for name, case in table.items()
}
# Each file with one of its readers, which take turns.
QUICK = {
    case: CASES[case]
    for ways, table in TABLES
    for index, name in enumerate(table)
    if (case := f"{ways[index % len(ways)]}: {name}") not in SLOW
}
REST = {case: CASES[case] for case in CASES if case not in QUICK}


def read_all(cases):
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
    for case, (way, raw, _) in cases.items():
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


def outcomes(which):
    """What came of each of the cases ``"QUICK"`` or ``"REST"``, by their names."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as empty:
        path = {"PYTHONPATH": REPOSITORY}
        options = {"cwd": empty, "environment": path, "timeout": 600, "status": 0}
        return json.loads(run(__file__, which, **options).stdout)


def check_refused(outcome, case):
    way, _, named = CASES[case]
    assert outcome["refused"], outcome["message"]
    # A refusal for want of memory would not name what is asked for.
    assert re.search(named, outcome["message"]), outcome["message"]
    assert len(outcome["message"]) < 1000
    assert outcome["seconds"] < SECONDS and not outcome["made"]
    allowed = {"open", "mmap.__new__", "builtins.id"}
    if way.startswith(("npz", "checkpoint")):
        # NumPy has the header parsed as a literal; what runs it would be "exec".
        allowed.add("compile")
    assert set(outcome["events"]) <= allowed


if __name__ == "__main__":
    read_all({"QUICK": QUICK, "REST": REST}[sys.argv[1]])
