import re

import fuzz_readers
import pytest

pytest.importorskip("atheris", reason="needs atheris: pip install '.[fuzz]'")


def test_the_code_reached_guides_the_fuzzer(run):
    found = run(fuzz_readers.__file__, "npz", "-runs=2000", status=0)
    assert "Done 2000 runs" in found.stderr
    # Without instrumentation libFuzzer counts none.
    assert int(re.search("cov: ([0-9]+)", found.stderr)[1]) > 100
