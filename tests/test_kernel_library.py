"""The kernel's shared library, kept where PyTensor keeps its modules."""

import _ctypes
import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytensor
import pytest
from conftest import needs_compiler
from processes import fake_compiler
from pytensor.link.c.cmodule import get_gcc_shared_library_arg
from pytensor.link.c.exceptions import CompileError
from test_caches import DAMAGES

from utils.backends.fusion import kernel_library

TEXT = "int answer = 42;"


def load(path, compiler=None):
    """Load a small library by the way of the kernel's; the number in it."""
    command = (compiler or pytensor.config.cxx, get_gcc_shared_library_arg(), "-fPIC")
    library = kernel_library._load(path, TEXT, (*command, "-x", "c", "-"))
    return ctypes.c_int.in_dll(library, "answer").value


@needs_compiler
def test_library_is_compiled_once_by_many_at_once(tmp_path):
    path = tmp_path / "library.so"
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(load, [path] * 3)) == [42] * 3
    assert list(tmp_path.iterdir()) == [path]
    assert load(path, "no-such-compiler") == 42


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_library_is_compiled_again(tmp_path, how):
    path = tmp_path / f"{how}.so"  # one name is loaded once
    path.write_bytes(DAMAGES[how](Path(_ctypes.__file__).read_bytes()))
    assert load(path) == 42


@needs_compiler
def test_library_has_another_name_where_it_would_be_another(monkeypatch):
    """Of another precision, another text, other flags or another compiler."""
    monkeypatch.setattr(kernel_library, "_started", lambda path, *rest: path)
    names = {kernel_library.start(dtype) for dtype in ("float32", "float64")}
    assert kernel_library.start("float32") in names
    for flags in ({"gcc__cxxflags": "-O1"}, {"cxx": f"{pytensor.config.cxx} "}):
        with pytensor.config.change_flags(**flags):
            names.add(kernel_library.start("float32"))
    monkeypatch.setattr(kernel_library, "SOURCES", kernel_library.SOURCES[1:])
    names.add(kernel_library.start("float32"))
    assert len(names) == 5
    assert {name.parent for name in names} == {pytensor.config.compiledir}


def test_compiler_that_is_killed_is_told(tmp_path):
    with pytest.raises(CompileError, match="ended with status -9"):
        load(tmp_path / "library.so", fake_compiler(tmp_path, "kill -9 $$"))
