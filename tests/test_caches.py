"""Compiled code and decoded data that are kept: damaged, or shared by runs at once."""

import gzip
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from utils import backends
from utils.backends import c_compiler, compile_cache

needs_compiler = pytest.mark.skipif(
    bool(c_compiler.find().error), reason="needs a C++ compiler"
)
DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "junk": lambda data: b"junk" * 100,
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


def start(folder, arguments, **environment):
    """A script as a process in a folder of its own."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, REPOSITORY / arguments[0], *map(str, arguments[1:])],
        cwd=folder,
        env=os.environ | {name: str(value) for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """The tutorial's lines, without the last, which has a time in it."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Warning" not in errors
    return [line for line in output.splitlines() if not line.startswith("The code run")]


def arguments(dataset, *others, script="logistic_sgd.py"):
    return [script, "--batch-size", 10, "--n-epochs", 2, "--dataset", dataset, *others]


def damage(path, how):
    """A new file under the name: the old one may be in use, or be linked elsewhere."""
    data = DAMAGES[how](path.read_bytes())
    path.unlink()
    path.write_bytes(data)


# PyTensor's modules in C


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A compile cache which a run has filled, and the flags that name it."""
    place = tmp_path_factory.mktemp("compiled")
    yield place
    shutil.rmtree(place, ignore_errors=True)


@needs_compiler
def test_damaged_c_modules_are_compiled_again(tmp_path, tiny_npz, compiled):
    flags = f"base_compiledir={compiled}"
    command = arguments(tiny_npz, "--backend", "c")
    expected = finish(start(tmp_path / "a", command, PYTENSOR_FLAGS=flags))
    modules = sorted(compiled.glob("compiledir_*/tmp*/*.so"))
    assert len(modules) >= 2
    for path, how in zip(modules, DAMAGES, strict=False):
        damage(path, how)
    for path in compiled.glob("compiledir_*/*_ext/*.so"):
        damage(path, "half")
    found = finish(start(tmp_path / "b", command, PYTENSOR_FLAGS=flags))
    assert found == expected


@needs_compiler
def test_damaged_keys_locks_and_notes(tmp_path, tiny_npz, compiled):
    """What else a run that was killed, or a disk that was full, may leave."""
    flags = f"base_compiledir={compiled}"
    command = arguments(tiny_npz, "--backend", "c")
    expected = finish(start(tmp_path / "a", command, PYTENSOR_FLAGS=flags))
    (folder,) = compiled.glob("compiledir_*")
    for key, how in zip(sorted(folder.glob("tmp*/key.pkl")), DAMAGES, strict=False):
        damage(key, how)
    half_written = folder / "tmphalfdone"
    half_written.mkdir()
    (half_written / "mod.cpp").write_text("#include <Py")
    (folder / "lock_dir").mkdir()
    (folder / ".lock").write_bytes(b"of a process that is no more")
    damage(folder / "c_compiler.json", "half")
    found = finish(start(tmp_path / "b", command, PYTENSOR_FLAGS=flags))
    assert found == expected


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
def test_damaged_numba_entry_is_written_anew(tmp_path, cache_file, suffix, how):
    cache_file().save("signature", ["compiled"])
    (path,) = tmp_path.glob(f"*.{suffix}")
    damage(path, how)
    assert cache_file().load("signature") is None
    cache_file().save("signature", ["compiled again"])
    assert cache_file().load("signature") == ["compiled again"]


def test_run_with_damaged_numba_cache(tmp_path, tiny_npz, warm_caches):
    """The outermost function of each graph: of one its index, of the next its code."""
    pytest.importorskip("numba")
    command = arguments(tiny_npz, "--backend", "numba")
    expected = finish(start(tmp_path / "a", command, PYTENSOR_FLAGS=warm_caches))
    warm, copy = Path(warm_caches.partition("=")[2]), tmp_path / "copy"
    shutil.copytree(warm / "numba", copy / "numba")
    indices = sorted((copy / "numba").glob("*numba_funcified_fgraph*.nbi"))
    assert len(indices) >= 2
    for number, index in enumerate(indices):
        code = index.with_name(index.name.removesuffix("nbi") + "1.nbc")
        damage(code if number % 2 else index, "half")
    flags = f"base_compiledir={copy}"
    assert finish(start(tmp_path / "b", command, PYTENSOR_FLAGS=flags)) == expected


# Two runs at once, from empty caches, in one folder


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
def test_two_runs_at_once_share_folder_and_caches(tmp_path, large_pickle):
    caches = {
        "PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'compiled'}",
        "LOGREG_CACHE": tmp_path / "cache",
    }
    command = ["logistic_sgd.py", "--dataset", large_pickle, "--n-epochs", 3]
    command += ["--backend", "c", "--checkpoint", "run.ckpt"]
    folder = tmp_path / "folder"
    first, second = (start(folder, command, **caches) for _ in range(2))
    lines = finish(first)
    assert finish(second) == lines
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(contents) == {"best_model.pkl", "run.ckpt"}
    (entry,) = (tmp_path / "cache" / "decoded").iterdir()
    assert len(list(entry.glob("*.npy"))) == 6

    # What they left is sound: a third run uses it, and finds the same.
    modules = list((tmp_path / "compiled").glob("compiledir_*/tmp*"))
    assert finish(start(folder, command, **caches)) == lines
    assert list((tmp_path / "compiled").glob("compiledir_*/tmp*")) == modules
    assert (folder / "best_model.pkl").read_bytes() == contents["best_model.pkl"]


def test_two_runs_at_once_share_numbas_cache(tmp_path, tiny_npz):
    """From an empty cache, and of two precisions, whose functions have one name."""
    pytest.importorskip("numba")
    flags = f"base_compiledir={tmp_path / 'compiled'}"
    command = arguments(tiny_npz, "--backend", "numba", "--floatX")
    precisions = "float32", "float64"

    def run_both():
        runs = [
            start(tmp_path / precision, [*command, precision], PYTENSOR_FLAGS=flags)
            for precision in precisions
        ]
        return [finish(run) for run in runs]

    cold = run_both()
    assert cold == run_both()
    # The last of several arguments of one name counts.
    on_c = [*command, "float64", "--backend", "c"]
    if not c_compiler.find().error:
        assert finish(start(tmp_path / "c", on_c)) == cold[1]
