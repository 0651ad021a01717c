"""Runs with compile caches that are damaged in every way, or shared from the start."""

import pytest
from conftest import needs_compiler
from processes import SGD, TINY, fake_compiler, lines
from small_files import make_splits, write_pickle
from test_caches import DAMAGES, damage

from utils.backends import c_compiler
from utils.datasets import decoded_cache


def finish(process):
    """The tutorial's lines of a process that must end well."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Warning" not in errors
    return lines(output)


@pytest.fixture
def train(start, tmp_path):
    """Start a script in a folder of its own, with a compile cache in `compiled`."""

    def call(name, *command, compiled=tmp_path / "compiled"):
        (tmp_path / name).mkdir()
        flags = {"PYTENSOR_FLAGS": f"base_compiledir={compiled}"}
        return start(*command, environment=flags, cwd=tmp_path / name)

    return call


@needs_compiler
def test_damaged_c_modules_are_compiled_again(train, tmp_path, tiny_npz):
    """And other files that a killed run, or a full disk, may leave behind."""
    command = SGD, *TINY, tiny_npz, "--backend", "c"
    expected = finish(train("first", *command))
    (folder,) = (tmp_path / "compiled").glob("compiledir_*")
    modules = sorted(folder.glob("tmp*/*.so"))
    assert len(modules) >= 2
    for path, how in zip(modules, DAMAGES, strict=False):
        damage(path, how)
    [kernel] = folder.glob("*.so")
    for path in [kernel, *folder.glob("*_ext/*.so")]:
        damage(path, "half")
    assert finish(train("modules", *command)) == expected
    for key, how in zip(sorted(folder.glob("tmp*/key.pkl")), DAMAGES, strict=False):
        damage(key, how)
    half_written = folder / "tmphalfdone"
    half_written.mkdir()
    (half_written / "mod.cpp").write_text("#include <Py")
    (folder / "lock_dir").mkdir()
    (folder / ".lock").write_bytes(b"of a process that is no more")
    damage(folder / "c_compiler.json", "half")
    assert finish(train("keys and locks", *command)) == expected


@needs_compiler
def test_kernel_that_cannot_be_compiled_is_one_line(start, tmp_path, tiny_npz):
    """By a compiler that does all else."""
    kernel = """*"-x c -"*) echo '<stdin>:7: error: lost' >&2; exit 1;;"""
    script = f'case "$*" in {kernel} esac; exec {c_compiler.config.cxx} "$@"'
    flags = f"cxx={fake_compiler(tmp_path, script)},base_compiledir={tmp_path / 'c'}"
    command = SGD, *TINY, tiny_npz, "--backend", "c", "--quiet"
    process = start(*command, environment={"PYTENSOR_FLAGS": flags}, cwd=tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert errors.startswith("logistic_sgd.py: error: The C backend failed (<stdin>:7:")
    assert errors.count("\n") == 1


def test_two_runs_at_once_share_numbas_cache(train, tmp_path, tiny_npz):
    """From an empty cache, and of two precisions, whose functions have one name.

    Then the outermost function of each graph is damaged: of one its index, of the next
    its code.
    """
    command = SGD, *TINY, tiny_npz, "--backend", "numba", "--floatX"

    def both(name):
        precisions = "float32", "float64"
        runs = [train(f"{name} {p}", *command, p) for p in precisions]
        return [finish(run) for run in runs]

    cold = both("cold")
    assert cold == both("warm")
    # The last of several arguments of one name counts.
    if not c_compiler.find().error:
        assert finish(train("c", *command, "float64", "--backend", "c")) == cold[1]

    indices = sorted((tmp_path / "compiled").glob("numba/*numba_funcified_fgraph*.nbi"))
    assert len(indices) >= 2
    for number, index in enumerate(indices):
        code = index.with_name(index.name.removesuffix("nbi") + "1.nbc")
        damage(code if number % 2 else index, "half")
    assert finish(train("damaged", *command, "float32")) == cold[0]


@needs_compiler
def test_runs_at_once_share_folder_and_caches(start, tmp_path):
    """From empty caches; then a third run, with what they left."""
    large = write_pickle(tmp_path / "large.pkl.gz", make_splits(width=20_000))
    compiled, cache = tmp_path / "compiled", tmp_path / "cache"
    caches = {"PYTENSOR_FLAGS": f"base_compiledir={compiled}", "LOGREG_CACHE": cache}
    command = [SGD, "--dataset", large, "--n-epochs", 3, "--backend", "c"]
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
    assert len(decoded_cache.load(entry)) == 3

    assert finish(begin()) == expected
    assert (folder / "best_model.pkl").read_bytes() == model
