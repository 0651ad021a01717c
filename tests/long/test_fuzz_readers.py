import importlib.util
import re

import fuzz_readers
import pytest
from readers import READERS

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris: pip install '.[fuzz]'",
)


def test_every_reader_has_a_target():
    assert set(fuzz_readers.NAMES) == set(READERS)


@pytest.mark.parametrize("name", fuzz_readers.NAMES)
def test_every_way_has_its_sound_seed(name, tmp_path):
    seeds = list(fuzz_readers._seeds(name))
    read = {raw[0] for raw in seeds if fuzz_readers._one(name, raw, tmp_path)}
    assert read == set(range(len(READERS[name])))
    assert len(seeds) > 2 * len(read)


@pytest.mark.parametrize("damaged, expected", [(False, "read"), (True, "refused")])
def test_a_finding_is_repeated(run, tmp_path, damaged, expected):
    raw = b"\0" + READERS["idx"]["images"].seed
    fuzz_readers._keep("idx", raw[:-1] if damaged else raw, "why\n", tmp_path)
    (finding,) = tmp_path.iterdir()
    assert re.fullmatch("idx-[0-9a-f]{8}.hex", finding.name)
    assert f"fuzz_readers.py idx --repeat {finding}" in finding.read_text()
    repeated = run(fuzz_readers.__file__, "idx", "--repeat", finding)
    assert repeated.stdout == f"{expected}\n"


@needs_atheris
def test_the_code_reached_guides_the_fuzzer(run, tmp_path):
    arguments = "npz", "--runs", 2000, "--findings", tmp_path
    found = run(fuzz_readers.__file__, *arguments)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "npz: Done 2000 runs" in found.stdout
    # Without instrumentation libFuzzer counts none.
    assert int(re.search("cov: ([0-9]+)", found.stdout)[1]) > 100
    assert found.stdout.endswith(f"0 findings in {tmp_path}: none\n")


@needs_atheris
def test_a_finding_is_kept(run, tmp_path):
    """As where a reader gives what it should not."""
    program = (
        "import sys, fuzz_readers, readers\n"
        "def check(splits, raw):\n"
        "    raise AssertionError('it is not sound')\n"
        "for name, reader in readers.READERS['idx'].items():\n"
        "    object.__setattr__(reader, 'check', check)\n"
        "fuzz_readers.main()\n"
    )
    worker, findings = tmp_path / "worker", tmp_path / "findings"
    worker.mkdir()
    findings.mkdir()
    places = f"--worker={worker}", f"--findings={findings}"
    run("-c", program, "idx", "--runs=50", *places)
    (finding,) = findings.iterdir()
    assert "it is not sound" in finding.read_text()
