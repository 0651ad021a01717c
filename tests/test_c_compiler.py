"""Abilities of the compiler, remembered only while they hold."""

import json
from pathlib import Path

import pytensor
import pytest
from processes import fake_compiler
from pytensor.link.numba.linker import NumbaLinker
from test_backends import forget_the_compiler

from utils.backends import BackendError, c_compiler, compilation_mode

__all__ = ["forget_the_compiler"]


@pytest.fixture
def path():
    """The file of the answers, in a state of the test's own making."""
    path = Path(pytensor.config.compiledir) / "c_compiler.json"
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def probes(monkeypatch):
    """How often the compiler was asked."""
    asked = []
    answer = c_compiler.Compiler(
        openmp=True, march_flags=("-march=probed", "--param", "l1=48")
    )
    monkeypatch.setattr(c_compiler, "_probe", lambda: asked.append(1) or answer)
    monkeypatch.setattr(c_compiler, "_tell_pytensor", lambda found: None)
    return asked


def test_compiler_that_fails_is_quoted_and_not_remembered(tmp_path, path):
    cxx = fake_compiler(tmp_path, "echo 'fatal error: Python.h' >&2; exit 1")
    with pytensor.config.change_flags(cxx=cxx):
        assert isinstance(compilation_mode("auto").linker, NumbaLinker)
        with pytest.raises(BackendError, match="fatal error: Python.h.*numba"):
            compilation_mode("c")
    assert not path.exists()


def test_compiler_without_openmp(tmp_path, path):
    """A compiler that refuses the flag, and does everything else."""
    real = pytensor.config.cxx
    if not real:
        pytest.skip("needs a C++ compiler")
    cxx = fake_compiler(
        tmp_path,
        f'case "$*" in *-fopenmp*) echo no >&2; exit 1;; *) exec {real} "$@";; esac',
    )
    with pytensor.config.change_flags(cxx=cxx):
        found = c_compiler._probe()
    assert (found.error, found.openmp) == ("", False)


def test_answers_are_remembered(path, probes):
    first = c_compiler.find()
    c_compiler.find.cache_clear()
    assert c_compiler.find() == first
    assert len(probes) == 1
    flags = json.loads(path.read_text())["march_flags"]
    assert flags == ["-march=probed", "--param", "l1=48"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"key": 1}', "\udcff", '{"key": null, "march_flags": ["x"]}'],
)
def test_damaged_answers_are_found_out_again(path, probes, content):
    path.write_text(content, errors="surrogateescape")
    assert c_compiler.find().openmp
    assert len(probes) == 1


def test_answers_do_not_hold_for_another_compiler_or_flags(tmp_path, path, probes):
    for n, flags in enumerate(
        ({}, {"cxx": fake_compiler(tmp_path, "exit 0")}, {"gcc__cxxflags": "-O1"}), 1
    ):
        c_compiler.find.cache_clear()
        with pytensor.config.change_flags(**flags):
            c_compiler.find()
        assert len(probes) == n
