"""Modes by the names of backends, the messages where there is none, and warm_up."""

import sys

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from conftest import needs_compiler
from pytensor.link.numba.linker import NumbaLinker
from pytensor.link.vm import VMLinker

from utils.backends import (
    BackendError,
    OneModuleLinker,
    c_compiler,
    compilation_mode,
    shared_variables,
    warm_up,
)


@pytest.fixture(autouse=True)
def forget_the_compiler():
    c_compiler.find.cache_clear()
    yield
    c_compiler.find.cache_clear()


@needs_compiler
def test_auto_is_c_where_a_compiler_works():
    assert isinstance(compilation_mode("auto").linker, OneModuleLinker)


def test_without_a_compiler_auto_is_numba_and_c_says_what_to_install():
    with pytensor.config.change_flags(cxx=""):
        assert isinstance(compilation_mode("auto").linker, NumbaLinker)
        with pytest.raises(BackendError, match="apt install g\\+\\+"):
            compilation_mode("c")


@pytest.mark.parametrize(
    "name, value", [("floatX", "float16"), ("warn_float64", "raise")]
)
def test_settings_that_the_lesson_cannot_have(name, value):
    with pytensor.config.change_flags(**{name: value}):
        with pytest.raises(BackendError, match=f"setting {name}={value} cannot be"):
            compilation_mode()


def test_auto_yields_to_the_linker_of_the_flags():
    with pytensor.config.change_flags(linker="vm"):
        linker = compilation_mode("auto").linker
    assert isinstance(linker, VMLinker)
    assert not linker.use_cloop


def test_auto_yields_to_the_mode_of_the_flags():
    with pytensor.config.change_flags(mode="NUMBA"):
        assert isinstance(compilation_mode("auto").linker, NumbaLinker)


@pytest.mark.parametrize(
    "flags, name, message",
    [
        ({}, "jax", r"pip install -e '\.\[jax\]'"),
        ({"mode": "JAX"}, "auto", r"pip install -e '\.\[jax\]'"),
        ({"linker": "jax"}, "auto", r"pip install -e '\.\[jax\]'"),
        ({"mode": "PYTORCH"}, "auto", "'pytorch' is refused"),
        ({"mode": "MLX"}, "auto", "'mlx' is not known"),
    ],
)
def test_backend_of_the_flags_or_by_name_is_checked(monkeypatch, flags, name, message):
    monkeypatch.delitem(sys.modules, "utils.backends.jax_backend", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytensor.config.change_flags(**flags):
        with pytest.raises(BackendError, match=message):
            compilation_mode(name)


def test_unknown_backend_and_pytorch_are_refused_with_the_reason():
    with pytest.raises(BackendError, match="'cuda' is not known.*auto, c, numba, jax"):
        compilation_mode("cuda")
    with pytest.raises(BackendError, match="no Argmax.*host.*auto, c, numba, jax"):
        compilation_mode("pytorch")


def test_warm_up_puts_back_parameters_and_a_momentum(mode):
    index = T.lscalar("index")
    w = pytensor.shared(np.array([1.0, 2.0]), name="w")
    momentum = pytensor.shared(np.array([0.5, 0.25]), name="momentum")
    step = 0.9 * momentum + index + 1
    updates = [(momentum, step), (w, w - step)]
    train = pytensor.function([index], w.sum(), updates=updates, mode=mode)
    look = pytensor.function([index], w.sum() + index, mode=mode)
    assert shared_variables(look, updated=True) == []
    assert shared_variables(look, train, train) == [w, momentum]
    assert shared_variables(train, updated=True) == [w, momentum]
    if isinstance(mode.linker, OneModuleLinker):
        assert type(train.vm).__name__ == "_CThunk"
    rate = T.dscalar("rate")
    of_two = pytensor.function([index, rate], w * rate + index, mode=mode)
    warm_up(train, look, of_two)
    np.testing.assert_array_equal(momentum.get_value(), [0.5, 0.25])
    np.testing.assert_array_equal(w.get_value(), [1, 2])
    assert train(0) == 3
    np.testing.assert_allclose(momentum.get_value(), [1.45, 1.225])
    np.testing.assert_allclose(w.get_value(), [-0.45, 0.775])


@needs_compiler
def test_c_takes_one_variable_twice_in_one_operation():
    x = T.dvector()
    power = pytensor.function([x], T.pow(x, x), mode=compilation_mode("c"))
    np.testing.assert_array_equal(power([2.0, 3.0]), [4, 27])
