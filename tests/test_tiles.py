"""Tiled images against grids that are put together by hand."""

import numpy as np
import pytest

from utils import scale_to_unit_interval, tile_raster_images

# Three images of 1 x 2 pixels.
X = np.array([[0.0, 1.0], [0.25, 0.5], [1.0, 0.0]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8", "bool"])
def test_scaled_to_unit_interval(dtype):
    values = np.array([[-128, 0], [127, 63]]).astype(dtype)
    kept = values.copy()
    exact = values.astype(float)
    expected = (exact - exact.min()) / (exact.max() - exact.min())
    scaled = scale_to_unit_interval(values)
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    assert scaled.dtype == (dtype if dtype.startswith("float") else "float64")
    np.testing.assert_array_equal(values, kept)


def test_constant_array_scales_to_zeros_and_eps_is_added():
    np.testing.assert_array_equal(scale_to_unit_interval(np.full(3, 7.0)), np.zeros(3))
    np.testing.assert_array_equal(
        scale_to_unit_interval(np.array([1.0, 4.0]), eps=1.0), [0.0, 0.75]
    )


def test_floats_on_a_grid_with_spacing_and_an_empty_tile():
    tiled = tile_raster_images(
        X, (1, 2), (2, 2), (1, 2), scale_rows_to_unit_interval=False,
        output_pixel_vals=False,
    )  # fmt: skip
    expected = [
        [0, 1, 0, 0, 0.25, 0.5],
        [0, 0, 0, 0, 0.00, 0.0],
        [1, 0, 0, 0, 0.00, 0.0],
    ]
    np.testing.assert_array_equal(tiled, expected)
    assert tiled.dtype == X.dtype


def test_bytes_are_255_times_the_values_cut_off():
    tiled = tile_raster_images(X, (2, 1), (1, 3), scale_rows_to_unit_interval=False)
    np.testing.assert_array_equal(tiled, [[0, 63, 255], [255, 127, 0]])
    assert tiled.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_image_is_scaled_for_itself(dtype):
    x = np.array([[10, 30, 20], [-4, 0, 4]], dtype)
    tiled = tile_raster_images(x, (1, 3), (2, 1), output_pixel_vals=False)
    np.testing.assert_allclose(tiled, [[0, 1, 0.5], [0, 0.5, 1]], atol=1e-6)
    assert tiled.dtype == dtype
    in_bytes = tile_raster_images(x, (1, 3), (2, 1))
    # The eps may bring 255 to just below, which is then cut off.
    assert set(in_bytes[[0, 1], [1, 2]].tolist()) <= {254, 255}
    np.testing.assert_array_equal(in_bytes[:, 0], [0, 0])


def test_images_past_the_last_tile_are_left_out_and_no_images_give_an_empty_grid():
    tiled = tile_raster_images(X, (1, 2), (1, 2), scale_rows_to_unit_interval=False)
    np.testing.assert_array_equal(tiled, [[0, 255, 63, 127]])
    tiled = tile_raster_images(np.empty((0, 6)), (2, 3), (2, 2), (1, 1))
    np.testing.assert_array_equal(tiled, np.zeros((5, 7), "uint8"))


@pytest.mark.parametrize("in_bytes, opaque", [(True, 255), (False, 1.0)])
def test_four_channels_and_the_defaults_of_those_that_are_none(in_bytes, opaque):
    green = np.random.default_rng(0).random((5, 6)).astype("float32")
    arguments = (2, 3), (2, 3), (1, 1), True, in_bytes
    tiled = tile_raster_images((None, green, None, None), *arguments)
    plain = tile_raster_images(green, *arguments)
    assert tiled.shape == (5, 11, 4) and tiled.dtype == plain.dtype
    assert plain.dtype == ("uint8" if in_bytes else "float32")
    np.testing.assert_array_equal(tiled[:, :, 1], plain)
    assert not tiled[:, :, [0, 2]].any()
    assert (tiled[:, :, 3] == opaque).all()


def test_alpha_that_is_given():
    alpha = np.array([[0.0, 0.5]])
    tiled = tile_raster_images(
        (None, None, None, alpha), (1, 2), (1, 1), scale_rows_to_unit_interval=False
    )
    np.testing.assert_array_equal(tiled, [[[0, 0, 0, 0], [0, 0, 0, 127]]])


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"3 x 3 = 9 values, found .* \(3, 2\)"):
        tile_raster_images(X, (3, 3), (1, 1))
    with pytest.raises(ValueError, match="four channels .* a tuple of 3"):
        tile_raster_images((X, X, X), (1, 2), (1, 1))
