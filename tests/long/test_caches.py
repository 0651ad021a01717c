"""Runs with compile caches that are damaged in every way, or shared from the start."""

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


@needs_compiler
def test_c_modules_are_shared_from_the_start_and_damaged(start, tmp_path):
    """Two runs at once, from empty caches; then others, with what they left.

    Among it what a killed run, or a full disk, may leave behind.
    """
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

    def check_run():
        assert finish(begin()) == expected
        assert (folder / "best_model.pkl").read_bytes() == model

    check_run()
    (kept,) = compiled.glob("compiledir_*")
    modules = sorted(kept.glob("tmp*/*.so"))
    assert len(modules) >= 2
    for path, how in zip(modules, DAMAGES, strict=False):
        damage(path, how)
    [kernel] = kept.glob("*.so")
    for path in [kernel, *kept.glob("*_ext/*.so")]:
        damage(path, "half")
    check_run()
    for key, how in zip(sorted(kept.glob("tmp*/key.pkl")), DAMAGES, strict=False):
        damage(key, how)
    half_written = kept / "tmphalfdone"
    half_written.mkdir()
    (half_written / "mod.cpp").write_text("#include <Py")
    (kept / "lock_dir").mkdir()
    (kept / ".lock").write_bytes(b"of a process that is no more")
    damage(kept / "c_compiler.json", "half")
    check_run()


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
