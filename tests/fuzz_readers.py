"""Fuzz the readers of strangers' files, guided by the code that each input reaches.

    python tests/fuzz_readers.py --seconds 60          # each reader for a minute
    python tests/fuzz_readers.py npz --runs 1000000
    python tests/fuzz_readers.py npz --repeat npz-1a2b3c4d.hex

A reader may refuse an input with its own error, or give a result that keeps its
promises (`readers`). Anything else, a hang, or too much memory, is a finding: its
bytes are written in hex to a file, and the exit status is 1. The first byte of an
input says which way of its group it is read. Needs atheris: pip install '.[fuzz]'.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from processes import start  # noqa: E402

# tmpfs, where there is one: a disk would be waited for.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
MAX_INPUT_BYTES = 4096
HANG_SECONDS = 20
MEMORY_MB = 2048
NAMES = ("idx", "gzip", "pickle", "npz", "model", "checkpoint")
WORDS = (
    "numpy.core.multiarray",
    "numpy._core.numeric",
    "_reconstruct",
    "_frombuffer",
    "scalar",
    "ndarray",
    "dtype",
    "_codecs",
    "encode",
    "latin1",
    "logistic_sgd",
    "LogisticRegression",
    "'fortran_order': True",
    "'shape': (0, 6)",
    "'descr': '>f8'",
    "train.npy",
    "content.json",
    "best_model",
    '{"array": 0}',
)


def main():
    options = _options()
    if options.worker:
        return _work(options)
    if options.repeat:
        raw = bytes.fromhex(options.repeat.read_text().splitlines()[0])
        with tempfile.TemporaryDirectory() as folder:
            print("read" if _one(options.readers[0], raw, Path(folder)) else "refused")
        return 0
    options.findings.mkdir(parents=True, exist_ok=True)
    statuses = [_fuzz(name, options) for name in options.readers]
    found = sorted(path.name for path in options.findings.glob("*.hex"))
    print(f"{len(found)} findings in {options.findings}: {', '.join(found) or 'none'}")
    return int(bool(found) or any(statuses))


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--seconds", type=int, default=0, help="for each reader")
    parser.add_argument("--runs", type=int, default=-1, help="inputs of each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    parser.add_argument("--repeat", type=Path, help="read one finding again")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if "all" in options.readers:
        options.readers = NAMES
    return options


def _fuzz(name, options):
    """Fuzz one reader in a process of its own, as libFuzzer ends its process."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix=f"fuzz-{name}-") as folder:
        arguments = [name, f"--worker={folder}", f"--findings={options.findings}"]
        arguments += [f"--runs={options.runs}", f"--seconds={options.seconds}"]
        arguments += [f"--seed={options.seed}"]
        with start(__file__, *arguments, stdout=None) as process:
            tail = []
            for line in process.stderr:
                tail = [*tail[-20:], line]
                if line.startswith("Done ") or "\tDONE " in line:
                    print(f"{name}: {line.strip()}", flush=True)
        counts = Path(folder, "outcomes")
        print(f"{name}: {counts.read_text() if counts.exists() else 'fewer'}")
        if process.returncode:
            print("".join(tail), file=sys.stderr)
        # libFuzzer itself stops at a hang or too much memory, and leaves the input.
        for artifact in Path(folder).glob("artifact-*"):
            _keep(name, artifact.read_bytes(), "a hang, or memory\n", options.findings)
        return process.returncode


def _work(options):
    import atheris

    (name,), folder, known = options.readers, options.worker, set()
    outcomes = [0, 0]  # inputs refused, and read
    # What is imported here, and only that, guides the fuzzer.
    with atheris.instrument_imports(include=["utils", "zipfile"]):
        seeds = list(_seeds(name))

    def test_one_input(raw):
        try:
            outcomes[_one(name, raw, folder)] += 1
        # Only a finding of its own place is worth a file.
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = (type(error), *((frame.filename, frame.lineno) for frame in frames))
            if place not in known:
                known.add(place)
                _keep(name, raw, traceback.format_exc(), options.findings)
        # libFuzzer ends its process, and leaves Python no time for last words.
        if sum(outcomes) % 1000 == 0:
            (folder / "outcomes").write_text("{} refused, {} read".format(*outcomes))

    corpus = folder / "corpus"
    corpus.mkdir()
    for seed in seeds:
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS))
    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-dict={words}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-timeout={HANG_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-runs={options.runs}",
            f"-max_total_time={options.seconds}",
            f"-seed={options.seed}",
            f"-artifact_prefix={folder}/artifact-",
        ],
        test_one_input,
    )
    atheris.Fuzz()


def _seeds(name):
    """Sound and hostile files: each way's own, behind its number."""
    import hostile_archives
    from hostile_pickles import HOSTILE
    from readers import READERS

    hostile = {
        "idx": hostile_archives.IDX,
        "gzip": hostile_archives.GZIP | HOSTILE,
        "npz": hostile_archives.NPZ | hostile_archives.NPY,
        "checkpoint": hostile_archives.CHECKPOINT
        | hostile_archives.CHECKPOINT_JSON
        | hostile_archives.NPY,
    }.get(name, HOSTILE)
    for index, reader in enumerate(READERS[name].values()):
        yield bytes([index]) + reader.seed
        for case, (raw, _) in hostile.items():
            # What is a tree of 2**18 values when cut off takes a tenth of a second.
            if len(raw) < MAX_INPUT_BYTES and "laughs" not in case:
                yield bytes([index]) + raw


def _one(name, raw, folder):
    from readers import READERS

    ways = list(READERS[name].values())
    return ways[raw[0] % len(ways)].try_bytes(folder, raw[1:]) if raw else False


def _keep(name, raw, reason, findings):
    path = findings / f"{name}-{hashlib.sha256(raw).hexdigest()[:8]}.hex"
    command = f"{sys.executable} {__file__} {name} --repeat {path}"
    path.write_text(f"{raw.hex()}\n{command}\n{reason}")
    print(f"{name}: a finding; see it with {command}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
