"""Operations that do not fit into one module of C, and random numbers."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from fused import mode_of
from pytensor.compile.mode import Mode
from pytensor.link.jax.linker import JAXLinker

from utils.backends import BackendError, OneModuleLinker, shared_variables, warm_up


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(lambda x: T.sort(x, axis=0), id="no C code"),
        pytest.param(lambda x: T.inc_subtensor((x * 2)[:2], x[:2]), id="Python side"),
    ],
)
def test_c_leaves_other_operations_to_the_cvm(expression):
    x = T.dmatrix("x")
    total = pytensor.shared(np.zeros((3, 3)))
    new = total + expression(x)
    updates = [(total, new)]
    function = pytensor.function([x], new, updates=updates, mode=mode_of("c"))
    assert type(function.vm).__name__ == "CVM"
    value = np.arange(9.0)[::-1].reshape(3, 3)
    python = pytensor.function([x], expression(x), mode=Mode("py", None))
    function(value)
    np.testing.assert_allclose(function(value), 2 * python(value))
    np.testing.assert_allclose(total.get_value(), 2 * python(value))


@pytest.mark.filterwarnings("ignore:RandomVariable Ops|The RandomType")
def test_warm_up_puts_back_a_random_generator(mode):
    index = T.lscalar("index")
    generator = pytensor.shared(np.random.default_rng(6), name="generator")
    later, drawn = T.random.uniform(size=2, rng=generator).owner.outputs

    def compiled():
        updates = [(generator, later)]
        return pytensor.function([index], drawn + index, updates=updates, mode=mode)

    if isinstance(mode.linker, JAXLinker):
        with pytest.raises(BackendError, match="hidden copy of a shared random"):
            compiled()
        return
    draw = compiled()
    if isinstance(mode.linker, OneModuleLinker):
        assert type(draw.vm).__name__ != "_CThunk"  # random numbers have no C code
    assert shared_variables(draw) == [generator]
    warm_up(draw)
    np.testing.assert_array_equal(draw(0), np.random.default_rng(6).uniform(size=2))
