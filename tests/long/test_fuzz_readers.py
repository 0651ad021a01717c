import re

import fuzz_readers
import pytest

pytest.importorskip("atheris", reason="needs atheris: pip install '.[fuzz]'")


def test_the_code_reached_guides_the_fuzzer(run, tmp_path):
    arguments = "npz", "--runs", 2000, "--findings", tmp_path
    found = run(fuzz_readers.__file__, *arguments)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "npz: Done 2000 runs" in found.stdout
    # Without instrumentation libFuzzer counts none.
    assert int(re.search("cov: ([0-9]+)", found.stdout)[1]) > 100
    assert found.stdout.endswith(f"0 findings in {tmp_path}: none\n")
