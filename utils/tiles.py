"""Many small images in one array, as the Deep Learning Tutorials show filters."""

import numpy as np


def scale_to_unit_interval(ndar, eps=1e-8):
    """Shift and stretch an array so that it spans 0 to 1.

    Parameters
    ----------
    ndar : array_like
        Of any shape and numeric dtype; left as it is.
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
    X,
    img_shape,
    tile_shape,
    tile_spacing=(0, 0),
    scale_rows_to_unit_interval=True,
    output_pixel_vals=True,
):
    """Lay images, each a row of a matrix, out on a grid.

    Parameters
    ----------
    X : array_like, ``(n, height * width)``, or tuple of four such arrays or None
        One image a row. A tuple gives the channels red, green, blue and alpha; one that
        is None is 0 everywhere, but alpha is opaque.
    img_shape : (int, int)
        Height and width of an image.
    tile_shape : (int, int)
        Rows and columns of the grid. It is filled row by row; tiles past the last image
        stay 0, images past the last tile are left out.
    tile_spacing : (int, int)
        Pixels of 0 between rows and between columns. Default none.
    scale_rows_to_unit_interval : bool
        Whether each image is scaled by `scale_to_unit_interval`. Default True; without
        it, values are expected between 0 and 1.
    output_pixel_vals : bool
        Whether the values become bytes, 255 times as large and cut off to whole
        numbers. Default True.

    Returns
    -------
    numpy.ndarray, ``(H, W)``, or ``(H, W, 4)`` of a tuple
        With ``H = (height + spacing) * rows - spacing``, and W likewise. uint8, or else
        the dtype of `X` (float64 where integers were scaled).

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
        channels = [
            None
            if channel is None
            else tile_raster_images(
                channel,
                img_shape,
                tile_shape,
                tile_spacing,
                scale_rows_to_unit_interval,
                output_pixel_vals,
            )
            for channel in X
        ]
        dtype = np.result_type(*[c.dtype for c in channels if c is not None] or [float])
        dtype = np.uint8 if output_pixel_vals else dtype
        out = np.zeros((*_out_shape(img_shape, tile_shape, tile_spacing), 4), dtype)
        out[:, :, 3] = 255 if output_pixel_vals else 1
        for i, channel in enumerate(channels):
            if channel is not None:
                out[:, :, i] = channel
        return out

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
    out = np.zeros(_out_shape(img_shape, tile_shape, tile_spacing), images.dtype)
    for i, image in enumerate(images):
        top = i // columns * (height + tile_spacing[0])
        left = i % columns * (width + tile_spacing[1])
        out[top : top + height, left : left + width] = image
    return out


def _out_shape(img_shape, tile_shape, tile_spacing):
    return tuple(
        (size + space) * count - space
        for size, count, space in zip(img_shape, tile_shape, tile_spacing, strict=True)
    )
