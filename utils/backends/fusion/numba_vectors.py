"""Steps for Numba's loops that are written in LLVM's own vectors.

LLVM has such vectors on every processor. Memory is a pointer of Numba's, and offsets
count elements: no arrays are described, and there is little to compile.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 8  # features; as many pixels are a block
WORD, INT32 = ir.IntType(64), ir.IntType(32)
FUSED = ("contract",)  # a product and a sum may be rounded once


def place(builder, pointer, *offsets):
    """Return the address of an element, and its size in bytes."""
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    element = pointer.type.pointee
    sizes = {ir.FloatType(): 4, ir.DoubleType(): 8}
    return pointer, sizes.get(element) or element.width // 8


def load_vector(builder, pointer, *offsets):
    """Return LANES elements."""
    address, size = place(builder, pointer, *offsets)
    vector = ir.VectorType(address.type.pointee, LANES)
    return builder.load(builder.bitcast(address, vector.as_pointer()), align=size)


def store_vector(builder, vector, pointer, *offsets):
    address, size = place(builder, pointer, *offsets)
    builder.store(
        vector, builder.bitcast(address, vector.type.as_pointer()), align=size
    )


def load_pixels(builder, x, at, real):
    """Return a block of pixels as `real`; bytes stand for byte / 256."""
    pixels = load_vector(builder, x, at)
    if not isinstance(x.type.pointee, ir.IntType):
        return pixels
    # The byte as the lowest bits of a number whose last bit counts 1/256.
    word, bits, number = INT32, 0x47000000, 2.0**15
    if isinstance(real, ir.DoubleType):
        word, bits, number = WORD, 0x42B0000000000000, 2.0**44
    words = builder.zext(pixels, ir.VectorType(word, LANES))
    words = builder.or_(words, words.type([bits] * LANES))
    shifted = builder.bitcast(words, ir.VectorType(real, LANES))
    return builder.fsub(shifted, shifted.type([number] * LANES))


@intrinsic
def shifted(typingctx, pointer, count):
    """Return the pointer, `count` elements on."""
    return pointer(pointer, types.intp), lambda _, builder, __, values: builder.gep(
        values[0], [values[1]]
    )


@intrinsic
def pointer_to(typingctx, place, like):
    """Return an address, or a pointer, as a pointer of the type of `like`."""

    def code(context, builder, signature, values):
        is_address = isinstance(place, types.Integer)
        cast = builder.inttoptr if is_address else builder.bitcast
        return cast(values[0], values[1].type)

    return like(place, like), code


@intrinsic
def ink(typingctx, x, at):
    """Return 1 where a pixel of the block ``x[at]`` is not 0, otherwise 0."""

    def code(context, builder, signature, values):
        address, size = place(builder, *values)
        # A block of bytes is one number, of which LLVM compares several at once.
        kind = WORD if size == 1 else ir.VectorType(ir.IntType(8 * size), LANES)
        address = builder.bitcast(address, kind.as_pointer())
        block = builder.load(address, align=size)
        bits = builder.icmp_unsigned("!=", block, kind(None))
        if size > 1:
            bits = builder.bitcast(bits, ir.IntType(LANES))
            bits = builder.icmp_unsigned("!=", bits, bits.type(0))
        return builder.zext(bits, WORD)

    return types.uint64(x, types.intp), code


@intrinsic
def exp_of_negative(typingctx, v):
    """Return exp(v) for v <= 0.

    As in `kernel.c`: v = k ln 2 + r with |r| <= ln(2) / 2, 2^k set in the exponent's
    bits, and the Taylor series of exp(r), whose remainder is below half an ulp.
    """
    is_double = v is types.float64
    terms, lowest = (13, -708.0) if is_double else (7, -87.0)
    shifter = 6755399441055744.0 if is_double else 12582912.0
    mantissa, bias = (52, 1023) if is_double else (23, 127)
    ln2 = 0.693147180559945309417
    high = float.fromhex("0x1.62e42fefa38p-1" if is_double else "0x1.62e4p-1")

    def code(context, builder, signature, values):
        (v,) = values
        real, word = v.type, WORD if is_double else INT32

        def plus_product(a, b, c):
            return builder.fadd(a, builder.fmul(b, c, flags=FUSED), flags=FUSED)

        far = plus_product(real(shifter), v, real(1 / ln2))
        k = builder.fsub(far, real(shifter))
        r = plus_product(plus_product(v, k, real(-high)), k, real(high - ln2))
        total = real(1)
        for term in range(terms, 0, -1):
            total = plus_product(real(1), builder.fmul(total, r), real(1 / term))
        bits = builder.sub(
            builder.bitcast(far, word), builder.bitcast(real(shifter), word)
        )
        power = builder.shl(builder.add(bits, word(bias)), word(mantissa))
        value = builder.fmul(total, builder.bitcast(power, real))
        underflows = builder.fcmp_ordered("<", v, real(lowest))
        return builder.select(underflows, real(0), value)

    return v(v), code
