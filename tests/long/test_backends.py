"""Operations that do not fit into one module of C."""

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from fused import mode_of
from pytensor.compile.mode import Mode


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(lambda x: T.dot(x, x.T), id="no C code"),
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
    value = np.arange(9.0).reshape(3, 3)
    python = pytensor.function([x], expression(x), mode=Mode("py", None))
    function(value)
    np.testing.assert_allclose(function(value), 2 * python(value))
    np.testing.assert_allclose(total.get_value(), 2 * python(value))
