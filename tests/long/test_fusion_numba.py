"""The fused operations compiled by Numba: zeros, layouts, forks, and extreme values."""

import pytest
from fused import (
    assert_right,
    assert_special_values_pass_through,
    expected,
    mode_of,
    problem,
)
from test_fusion_op import LAYOUTS, each_precision
from test_fusion_zeros import *  # noqa: F403  its tests, with the fixture below


@pytest.fixture
def linker():
    return "numba"


@each_precision
def test_special_values(dtype):
    assert_special_values_pass_through(mode_of("numba"), dtype)


@each_precision
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(layout, dtype):
    for n, n_in in ((61, 19), (1, 19), (130, 40), (61, 1)):
        values = problem(n, n_in, 10, dtype)
        laid_out = [LAYOUTS[layout](v) for v in values]
        for i in range(4):
            mixed = [*values[:i], laid_out[i], *values[i + 1 :]]
            assert_right("numba", dtype, mixed, expected(*values))
