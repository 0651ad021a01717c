"""Fuzz a reader of strangers' files, guided by the code that each input reaches.

    python tests/fuzz_readers.py npz -max_total_time=60
    python tests/fuzz_readers.py npz fuzz-npz-crash-1a2b3c4d    # read a finding again

The first argument names a group of `readers.READERS`, the others are libFuzzer's. A
reader may refuse an input with its own error, or give a result that keeps its promises.
Anything else, a hang, or too much memory, is a finding: libFuzzer writes the input to a
file, and the exit status is not 0. The first byte of an input says which way of its
group it is read. Needs atheris: pip install '.[fuzz]'.
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from processes import MEMORY  # noqa: E402

MAX_INPUT_BYTES = 4096
NAMES = """
    numpy.core.multiarray numpy._core.numeric _reconstruct _frombuffer scalar ndarray
    dtype _codecs encode latin1 logistic_sgd LogisticRegression train.npy content.json
    best_model
""".split()
WORDS = NAMES + [
    "'fortran_order': True",
    "'shape': (0, 6)",
    "'descr': '>f8'",
    '{"array": 0}',
]


def main(name, *options):
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix=f"fuzz-{name}-") as folder:
        # libFuzzer ends its process, and would leave the folder.
        if (child := os.fork()) == 0:
            fuzz(name, Path(folder), options)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fuzz(name, folder, options):
    import atheris

    # What is imported here, and only that, guides the fuzzer.
    with atheris.instrument_imports(include=["utils", "zipfile"]):
        from readers import READERS

    ways = list(READERS[name].values())
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for seed in seeds(ways):
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS))

    def test_one_input(raw):
        if raw:
            ways[raw[0] % len(ways)].try_bytes(folder, raw[1:])

    arguments = [
        *(f"-dict={words}", f"-max_len={MAX_INPUT_BYTES}", "-timeout=20"),
        *("-rss_limit_mb=2048", f"-artifact_prefix=fuzz-{name}-", *options),
    ]
    if all(option.startswith("-") for option in options):
        arguments.append(str(corpus))
    atheris.Setup([sys.argv[0], *arguments], test_one_input)
    atheris.Fuzz()


def seeds(ways):
    """Sound and hostile files: each way's own, behind its number."""
    from hostile_cases import TABLES

    for index, way in enumerate(ways):
        yield bytes([index]) + way.seed
        for _, table in TABLES:
            for case, (raw, _) in table.items():
                # A tree of 2**18 values, when cut off, takes a tenth of a second.
                if len(raw) < MAX_INPUT_BYTES and "laughs" not in case:
                    yield bytes([index]) + raw


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
