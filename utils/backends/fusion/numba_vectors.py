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


@intrinsic(prefer_literal=True)
def ink(typingctx, x, at, blocks):
    """Return a bit for each of 1 or 8 blocks from ``x[at]`` on: 0 if all pixels are."""
    count = blocks.literal_value

    def code(context, builder, signature, values):
        address, size = place(builder, *values[:2])
        # A block of bytes is one number, of which LLVM compares eight at once.
        wide = size == 1
        element, lanes = (WORD, count) if wide else (ir.IntType(8 * size), LANES)
        vector, mask = ir.VectorType(element, lanes), WORD(0)
        for block in range(1 if wide else count):
            at = builder.gep(address, [WORD(block * LANES)])
            at = builder.bitcast(at, vector.as_pointer())
            bits = builder.icmp_unsigned(
                "!=", builder.load(at, align=size), vector(None)
            )
            bits = builder.bitcast(bits, ir.IntType(lanes))
            if not wide:
                bits = builder.icmp_unsigned("!=", bits, bits.type(0))
            bit = builder.shl(builder.zext(bits, WORD), WORD(block))
            mask = builder.or_(mask, bit)
        return mask

    return types.uint64(x, types.intp, blocks), code


@intrinsic
def pack_block(typingctx, weights, at, W, first, row):
    """Set the LANES numbers from ``weights[at]`` on, and return whether all are finite.

    They are W's from ``W[first]`` on, `row` elements from one to the next.
    """

    def code(context, builder, signature, values):
        weights, at, W, first, row = values
        lanes = ir.VectorType(W.type.pointee, LANES)
        vector = lanes(ir.Undefined)
        for lane in range(LANES):
            number = builder.load(place(builder, W, first)[0])
            vector = builder.insert_element(vector, number, INT32(lane))
            first = builder.add(first, row)
        store_vector(builder, vector, weights, at)
        zeros = builder.fcmp_ordered("==", builder.fsub(vector, vector), lanes(None))
        bits = builder.bitcast(zeros, ir.IntType(LANES))
        return builder.icmp_unsigned("==", bits, bits.type(-1))

    indices = types.intp, types.intp
    return types.boolean(weights, types.intp, W, *indices), code


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
