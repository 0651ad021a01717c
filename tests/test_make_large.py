"""The large dataset: distorted as SciPy's images are, the same for the same seed."""

import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from scipy import ndimage

from utils import datasets


@pytest.fixture
def make_large(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    yield __import__("make_large")
    sys.modules.pop("make_large", None)


@pytest.mark.parametrize(
    "degrees, shift", [(0, (0, 0)), (0, (2, -1)), (7.5, (0.3, 1.2)), (-8, (-2, 0))]
)
def test_distortion_is_that_of_scipy(make_large, degrees, shift):
    image = ndimage.gaussian_filter(np.random.default_rng(1).random((12, 12)), 1)
    angle = np.deg2rad(degrees)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = np.full(2, 5.5)
    expected = ndimage.affine_transform(
        image, turn, middle - turn @ (middle + shift), order=1, mode="grid-constant"
    )
    found = image.ravel() @ make_large.distortion(12, degrees, shift)
    np.testing.assert_allclose(found.reshape(12, 12), expected, atol=1e-6)


def test_the_files_are_a_dataset_that_a_seed_determines(make_large, tmp_path, capsys):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        arguments = ["--count", "700", "--seed", str(seed), "--dataset", "digits"]
        assert make_large.main([str(tmp_path / name), *arguments]) == 0
    assert "700 training images" in capsys.readouterr().out
    a, b, c = (datasets.load(tmp_path / name, dtype="uint8") for name in "abc")
    assert [x.shape for x, _ in a] == [(584, 64), (116, 64), (300, 64)]
    np.testing.assert_array_equal(a[0][0], b[0][0])
    assert (a[0][0] != c[0][0]).any()
    digits = datasets.load("digits")
    np.testing.assert_array_equal(a[2][1], digits[2][1])
    np.testing.assert_array_equal(a[2][0], np.minimum(digits[2][0] * 256, 255))
