"""Tiles of sums that Numba keeps in vector registers, and the steps that fill them.

A tile has, for each of a few classes, the sums of LANES neighbouring features. LLVM
does not keep an array of sums in registers, but it does keep such vectors.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from utils.backends.fusion.numba_vectors import (
    INT32,
    LANES,
    WORD,
    load_pixels,
    load_vector,
    place,
    store_vector,
)

CHUNK = 64  # rows, a bit of a mask for each
SUMS = ("contract", "nsz", "reassoc")  # in any order; NaN and infinity keep their sense


class Tile(types.Type):
    """The sums of `width` classes, as numbers of Numba's type `real`."""

    def __init__(self, real, width):
        self.real, self.width = real, width
        super().__init__(f"Tile({real}, {width})")


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        lanes = ir.VectorType(manager.lookup(tile.real).get_value_type(), LANES)
        super().__init__(manager, tile, ir.ArrayType(lanes, tile.width))


def add_products(builder, tile, pixels, factor_of):
    """Return the tile plus the pixels times the factor of each class."""
    for c in range(tile.type.count):
        product = builder.fmul(pixels, factor_of(c), flags=SUMS)
        total = builder.fadd(builder.extract_value(tile, c), product, flags=SUMS)
        tile = builder.insert_value(tile, total, c)
    return tile


@intrinsic
def width_of(typingctx, tiles):
    """Return the number of classes of a tile."""
    return types.intp(tiles), lambda context, builder, *_: WORD(tiles.dtype.width)


@intrinsic
def empty_tile(typingctx, tiles):
    """Return a tile of zeros, of the type that `tiles` points to."""
    tile = tiles.dtype
    return tile(tiles), lambda context, *_: context.get_value_type(tile)(None)


@intrinsic
def add_logits(typingctx, tile, x, at, weights, weights_at):
    """Return the tile plus the block of pixels ``x[at]`` times its weights."""

    def code(context, builder, signature, values):
        tile, x, at, weights, weights_at = values
        pixels = load_pixels(builder, x, at, weights.type.pointee)
        return add_products(
            builder,
            tile,
            pixels,
            lambda c: load_vector(builder, weights, weights_at, WORD(c * LANES)),
        )

    return tile(tile, x, types.intp, weights, types.intp), code


@intrinsic
def add_gradient(typingctx, tile, x, at, delta, row):
    """Return the tile plus the block of pixels ``x[at]`` times ``delta[:, row]``."""

    def code(context, builder, signature, values):
        tile, x, at, delta, row = values

        def splat(c):
            address, _ = place(builder, delta, row, WORD(c * CHUNK))
            value = builder.load(address)
            vector = ir.VectorType(value.type, LANES)
            first = builder.insert_element(vector(ir.Undefined), value, INT32(0))
            order = ir.VectorType(INT32, LANES)(None)
            return builder.shuffle_vector(first, first, order)

        pixels = load_pixels(builder, x, at, delta.type.pointee)
        return add_products(builder, tile, pixels, splat)

    return tile(tile, x, types.intp, delta, types.intp), code


@intrinsic
def add_tile(typingctx, tile, to, at):
    """Add a tile to the numbers from ``to[at]`` on."""

    def code(context, builder, signature, values):
        tile, to, at = values
        for c in range(tile.type.count):
            offset = at, WORD(c * LANES)
            total = builder.fadd(
                load_vector(builder, to, *offset), builder.extract_value(tile, c)
            )
            store_vector(builder, total, to, *offset)
        return context.get_dummy_value()

    return types.void(tile, to, types.intp), code


@intrinsic
def add_totals(typingctx, tile, z, row):
    """Add the sum over each class's lanes to ``z[:, row]``."""

    def code(context, builder, signature, values):
        tile, z, row = values
        for c in range(tile.type.count):
            sums, count = builder.extract_value(tile, c), LANES
            while count > 1:
                count //= 2
                order = ir.VectorType(INT32, count)
                low, high = order([*range(count)]), order([*range(count, 2 * count)])
                sums = builder.fadd(
                    builder.shuffle_vector(sums, sums, low),
                    builder.shuffle_vector(sums, sums, high),
                )
            address, _ = place(builder, z, row, WORD(c * CHUNK))
            total = builder.extract_element(sums, INT32(0))
            builder.store(builder.fadd(builder.load(address), total), address)
        return context.get_dummy_value()

    return types.void(tile, z, types.intp), code
