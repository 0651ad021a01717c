"""Which BLAS the C backend links to; tests/long/test_blas.py has what it computes."""

import shlex

import pytensor
import pytest

from utils.backends import blas


def test_nothing_is_linked_where_numpy_brings_another_blas(monkeypatch):
    monkeypatch.setattr(blas.ctypes, "CDLL", lambda path: object())
    assert blas.ldflags(openmp=True) == ""


def test_paths_with_blanks_are_one_flag_each(monkeypatch, tmp_path):
    header = tmp_path / "a folder" / "numpy_blas.h"
    header.parent.mkdir()
    header.write_text("")
    monkeypatch.setattr(blas, "HEADER", header)
    flags = shlex.split(blas.ldflags(openmp=False))
    if flags:
        assert f"--include={header}" in flags
        assert "-fopenmp" not in flags


@pytest.mark.parametrize("flags", ["", "-lm"])
def test_choice_of_a_user_wins(monkeypatch, flags):
    # change_flags would ask for the value of before, and PyTensor search the disk.
    entry = pytensor.config._config_var_dict["blas__ldflags"]
    monkeypatch.setattr(entry, "val", flags, raising=False)
    blas.choose(openmp=True)
    assert (pytensor.config.blas__ldflags, blas.is_linked()) == (flags, bool(flags))
