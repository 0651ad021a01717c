"""Compiled code and decoded data that are kept: damaged, or shared by runs at once."""

import gzip
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_compiler
from processes import SGD, lines

from utils import backends
from utils.backends import compile_cache

DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "junk": lambda data: b"junk" * 100,
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


def finish(process):
    """The tutorial's lines of a process that must end well."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Warning" not in errors
    return lines(output)


def damage(path, how):
    """A new file under the name: the old one may be in use, or be linked elsewhere."""
    data = DAMAGES[how](path.read_bytes())
    path.unlink()
    path.write_bytes(data)


# PyTensor's modules in C


@pytest.fixture
def large_pickle(tmp_path):
    """A dataset in the tutorial's layout, large enough to be kept decoded."""
    rng = np.random.default_rng(5)
    splits = [
        (rng.integers(0, 256, (n, 784)).astype("float32") / 256, rng.integers(0, 9, n))
        for n in (2000, 600, 600)
    ]
    path = tmp_path / "large.pkl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        pickle.dump(splits, file, protocol=2)
    assert path.stat().st_size > 2**20
    return path


@needs_compiler
def test_runs_at_once_share_folder_and_caches(start, tmp_path, large_pickle):
    """From empty caches; then a third run, with what they left, of which one is cut."""
    compiled, cache = tmp_path / "compiled", tmp_path / "cache"
    caches = {"PYTENSOR_FLAGS": f"base_compiledir={compiled}", "LOGREG_CACHE": cache}
    command = [SGD, "--dataset", large_pickle, "--n-epochs", 3, "--backend", "c"]
    command += ["--checkpoint", "run.ckpt"]
    folder = tmp_path / "folder"
    folder.mkdir()

    def begin():
        return start(*command, environment=caches, cwd=folder)

    first, second = begin(), begin()
    expected = finish(first)
    assert finish(second) == expected
    model = (folder / "best_model.pkl").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"best_model.pkl", "run.ckpt"}
    (entry,) = (cache / "decoded").iterdir()
    assert len(list(entry.glob("*.npy"))) == 6

    modules = sorted(compiled.glob("compiledir_*/tmp*/*.so"))
    damaged = modules[0]
    damage(damaged, "half")
    assert finish(begin()) == expected
    assert (folder / "best_model.pkl").read_bytes() == model
    # It compiled the damaged one again, and used the others.
    left = sorted(compiled.glob("compiledir_*/tmp*/*.so"))
    assert len(left) == len(modules)
    assert set(modules) - set(left) == {damaged}


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
def test_library_is_whole_or_not(tmp_path):
    import _ctypes

    whole = Path(_ctypes.__file__).read_bytes()
    path = tmp_path / "library.so"
    for size in (0, 3, 63, 64, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert not compile_cache._is_whole(path)
    path.write_bytes(whole)
    assert compile_cache._is_whole(path)
    assert compile_cache._is_whole(tmp_path / "missing.so")


@needs_compiler
def test_compiler_that_fails_later_than_it_was_asked(tmp_path, monkeypatch):
    """Its headers were removed, or the disk is full: one line that quotes it."""
    import pytensor
    import pytensor.tensor as T

    mode = backends.compilation_mode("c")
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'mod.cpp:1: fatal error: lost' >&2\nexit 1\n")
    compiler.chmod(0o755)
    x = T.matrix()
    with pytensor.config.change_flags(cxx=str(compiler)):
        with pytest.raises(backends.BackendError) as caught:
            pytensor.function([x], T.tanh(x * 1.234321).sum(), mode=mode)
    message = str(caught.value)
    assert "(mod.cpp:1: fatal error: lost)" in message and "\n" not in message
    assert str(pytensor.config.compiledir) in message


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
