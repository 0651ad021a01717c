"""What the two scripts stand on: data, backends, model file, training state.

The names that the other Deep Learning Tutorials import from their `utils` are here.
"""

from typing import TYPE_CHECKING

from utils.cli import __version__  # noqa: F401

if TYPE_CHECKING:
    from utils.tiles import scale_to_unit_interval, tile_raster_images

__all__ = ["scale_to_unit_interval", "tile_raster_images"]


def __getattr__(name):
    # Not before it is asked for: `startup` is to be ready before NumPy is imported.
    if name in __all__:
        from utils import tiles

        return getattr(tiles, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
