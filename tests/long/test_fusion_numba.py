"""The fused operations compiled by Numba: zeros, layouts, forks, and extreme values."""

import pytest
import test_fusion_zeros
from fused import assert_special_values_pass_through, mode_of
from test_fusion_zeros import *  # noqa: F403  its tests, with the fixture below


@pytest.fixture
def linker():
    return "numba"


@pytest.mark.parametrize("layout", test_fusion_zeros.LAYOUTS)
def test_arrays_of_any_layout(layout, linker):
    """In one precision: Numba compiles for each layout of each array, by strides."""
    test_fusion_zeros.test_arrays_of_any_layout(layout, linker, "float32")


def test_special_values():
    assert_special_values_pass_through(mode_of("numba"), "float32")
