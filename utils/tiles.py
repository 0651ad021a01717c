"""Many small images in one array, as the Deep Learning Tutorials show filters."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def scale_to_unit_interval(ndar: ArrayLike, eps: float = 1e-8) -> NDArray:
    """Shift and stretch an array so that it spans 0 to 1.

    Parameters
    ----------
    ndar : array_like
        Any shape and numeric dtype; not changed.
    eps : float
        Added to the largest value before it divides: a constant array becomes zeros.
        Default 1e-8.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape; floats keep their dtype, others become float64.
    """
    ndar = np.asarray(ndar)
    if not np.issubdtype(ndar.dtype, np.floating):
        ndar = ndar.astype(np.float64)
    shifted = ndar - ndar.min()
    return shifted * (1.0 / (shifted.max() + eps))


def tile_raster_images(
    X: ArrayLike | tuple[ArrayLike | None, ...],
    img_shape: tuple[int, int],
    tile_shape: tuple[int, int],
    tile_spacing: tuple[int, int] = (0, 0),
    scale_rows_to_unit_interval: bool = True,
    output_pixel_vals: bool = True,
) -> NDArray:
    """Lay out images, each a row of a matrix, on a grid.

    Parameters
    ----------
    X : array_like, ``(n, height * width)``, or tuple of four such arrays or None
        One image per row. A tuple gives the channels red, green, blue and alpha; one
        that is None is 0 everywhere, or opaque if it is alpha.
    img_shape : (int, int)
        Height and width of an image.
    tile_shape : (int, int)
        Rows and columns of the grid, which is filled row by row. Tiles past the last
        image stay 0, images past the last tile are left out.
    tile_spacing : (int, int)
        Pixels of 0 between rows and between columns. Default none.
    scale_rows_to_unit_interval : bool
        Scale each image by `scale_to_unit_interval`. Default True; otherwise values are
        expected between 0 and 1.
    output_pixel_vals : bool
        Turn the values into bytes, 255 times as large and truncated. Default True.

    Returns
    -------
    numpy.ndarray, ``(H, W)``, or ``(H, W, 4)`` of a tuple
        With ``H = (height + spacing) * rows - spacing``, and W likewise. uint8;
        otherwise the dtype of `X` (float64 if integers were scaled).

    Raises
    ------
    ValueError
        If a row of `X` has not height * width values, or a tuple not four channels.
    """
    if isinstance(X, tuple):
        if len(X) != 4:
            raise ValueError(
                "expected four channels (red, green, blue, alpha; None for an empty "
                f"one), found a tuple of {len(X)}"
            )
        # Of no images, and bool, so that it does not widen the others' dtype.
        empty = np.zeros((0, img_shape[0] * img_shape[1]), bool)
        how = tile_spacing, scale_rows_to_unit_interval, output_pixel_vals
        channels = [
            tile_raster_images(empty if x is None else x, img_shape, tile_shape, *how)
            for x in X
        ]
        if X[3] is None:
            channels[3] = np.full_like(channels[3], 255 if output_pixel_vals else 1)
        return np.stack(channels, axis=-1)

    X = np.asarray(X)
    height, width = img_shape
    if X.ndim != 2 or X.shape[1] != height * width:
        raise ValueError(
            f"expected images as rows of {height} x {width} = {height * width} values, "
            f"found an array of shape {X.shape}"
        )
    rows, columns = tile_shape
    images = X[: rows * columns].reshape(-1, height, width)
    if scale_rows_to_unit_interval and len(images):
        images = np.stack([scale_to_unit_interval(image) for image in images])
    if output_pixel_vals:
        images = np.clip(images * 255.0, 0, 255).astype(np.uint8)
    # Each tile with its spacing below and to the right; the last ones are cut off.
    below, right = tile_spacing
    tiles = np.zeros((rows * columns, height + below, width + right), images.dtype)
    tiles[: len(images), :height, :width] = images
    out = tiles.reshape(rows, columns, height + below, width + right).swapaxes(1, 2)
    out = out.reshape(rows * (height + below), columns * (width + right))
    return out[: len(out) - below, : out.shape[1] - right]
