"""Compiled code and decoded data that are kept: damaged, or shared by runs at once."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import needs_compiler
from processes import fake_compiler

from utils import backends
from utils.backends import compile_cache

DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "junk": lambda data: b"junk" * 100,
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


def damage(path, how):
    """A new file under the name: the old one may be in use, or be linked elsewhere."""
    data = DAMAGES[how](path.read_bytes())
    path.unlink()
    path.write_bytes(data)


# PyTensor's modules in C


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
def test_damaged_c_modules_are_deleted(tmp_path, monkeypatch):
    import _ctypes

    whole = Path(_ctypes.__file__).read_bytes()
    damaged = [whole[:n] for n in (3, 63, 64, -1)]
    damaged += [change(whole) for change in DAMAGES.values()]
    for n, content in enumerate([whole, *damaged]):
        library = tmp_path / f"tmp{n}" / "module.so"
        library.parent.mkdir()
        library.write_bytes(content)
    monkeypatch.setattr(compile_cache, "config", SimpleNamespace(compiledir=tmp_path))
    compile_cache.mend_c.__wrapped__()
    assert [path.name for path in tmp_path.iterdir()] == ["tmp0"]
    # Another process may have deleted it meanwhile.
    assert compile_cache.is_whole(tmp_path / "missing.so")


@needs_compiler
@pytest.mark.parametrize(
    "complaint, remedy",
    [
        ("lost", "delete PyTensor's compile cache, {cache}, and run again"),
        ("No space left on device", "make room in {cache} ("),
        ("File size limit exceeded", "make room in {cache} ("),
    ],
)
def test_compiler_that_fails_later_than_it_was_asked(tmp_path, complaint, remedy):
    """Its headers were removed, or the disk is full: one line that quotes it."""
    import pytensor
    import pytensor.tensor as T

    mode = backends.compilation_mode("c")
    cxx = fake_compiler(
        tmp_path, f"echo 'mod.cpp:1: fatal error: {complaint}' >&2; exit 1"
    )
    x = T.matrix()
    with pytensor.config.change_flags(cxx=cxx):
        with pytest.raises(backends.BackendError) as caught:
            pytensor.function([x], T.tanh(x * 1.234321).sum(), mode=mode)
    message = str(caught.value)
    expected = remedy.format(cache=pytensor.config.compiledir)
    assert f"(mod.cpp:1: fatal error: {complaint}): {expected}" in message
    assert "\n" not in message


# Numba's


@pytest.fixture
def cache_file(tmp_path):
    """Numba's file cache of one function, as it is once a run uses Numba."""
    caching = pytest.importorskip("numba.core.caching")
    compile_cache.mend_numba()
    return lambda: caching.IndexDataCacheFile(str(tmp_path), "function", 0)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_numba_entry_is_written_again(tmp_path, cache_file, suffix, how):
    cache_file().save("signature", ["compiled"])
    (path,) = tmp_path.glob(f"*.{suffix}")
    damage(path, how)
    assert cache_file().load("signature") is None
    cache_file().save("signature", ["compiled again"])
    assert cache_file().load("signature") == ["compiled again"]


def test_numba_entry_that_cannot_be_kept(cache_file):
    """For want of room: the code that was compiled serves this run all the same."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        cache_file().save("signature", ["compiled"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert cache_file().load("signature") is None
