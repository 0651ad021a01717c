"""What the two scripts stand on: data, backends, model file, training state.

The names that the other Deep Learning Tutorials import from their `utils` are here.
"""

from .tiles import scale_to_unit_interval, tile_raster_images

__all__ = ["scale_to_unit_interval", "tile_raster_images"]
