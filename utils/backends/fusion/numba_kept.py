"""Numba's loops as functions that are compiled once, and called by their names.

Code that is part of a function of PyTensor's is optimized again at each of the levels
that PyTensor wraps it in: that was most of a first start.
"""

import os
from functools import cache
from pathlib import Path
from types import FunctionType
from zlib import crc32

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from pytensor import config
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

from utils.backends.fusion.numba_shares import share, sum_shares
from utils.backends.fusion.numba_tiles import CHUNK, Tile
from utils.backends.fusion.numba_vectors import LANES

THREAD_WORK = 1e6  # multiply-adds that are worth one more thread
MOST_THREADS = int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip() or 0)
# Asking starts Numba's threads, which makes `prange` known to code that is loaded.
# Numba itself does so only where it compiles: a function that it had kept would jump to
# address 0.
MOST_THREADS = min(MOST_THREADS or 2**16, numba.get_num_threads())

# What is kept on disk is kept under this key: no one looks at the sources.
SOURCES = sorted(Path(__file__).parent.glob("numba_*.py"))
CACHE_KEY = str(crc32(b"".join(path.read_bytes() for path in SOURCES)))

# Compiled code reads these at each call: the most threads, and whether this process is
# a child of a fork, which has none of Numba's threads and may start no others.
SETTINGS = np.array([MOST_THREADS, 0])
binding.add_symbol("softmax_regression_settings", SETTINGS.ctypes.data)
if hasattr(os, "register_at_fork"):  # Windows forks no processes
    os.register_at_fork(after_in_child=lambda: SETTINGS.__setitem__(1, 1))

INT = ir.IntType(64)


@intrinsic
def setting(typingctx, i):
    """Return one of SETTINGS as it is now."""

    def code(context, builder, signature, values):
        name = "softmax_regression_settings"
        kind = ir.ArrayType(INT, len(SETTINGS))
        table = builder.module.globals.get(name)
        table = table or ir.GlobalVariable(builder.module, kind, name)
        return builder.load(builder.gep(table, [INT(0), values[0]]))

    return types.int64(types.intp), code


@intrinsic
def kept_alive(typingctx, array):
    """Use an array: Numba frees it after its last use, and an address is none."""
    return types.void(array), lambda context, *_: context.get_dummy_value()


def run(
    width, itemsize, x, W, b, y, n, n_labels, n_in, n_out,
    x_row, x_column, W_row, W_column, b_step, y_step, gW, gb, p, delta, y_pred,
):  # fmt: skip
    """Return the sum of the losses or the number of errors; -1 for a label too large.

    All are addresses, numbers, and strides in elements. Those of `gW` and `gb` are 0
    where errors are to be counted, those of `p`, `delta` and `y_pred` where no row's
    results are asked for.
    """
    shares = min(setting(0), 1 + int(n * n_in * n_out / THREAD_WORK))
    classes, blocks = -(-n_out // width) * width, -(-n_in // LANES)
    memory = classes * (2 * blocks * LANES + CHUNK + 1) + 2 * CHUNK
    if x_column != 1 or n_in < LANES:
        memory += CHUNK * max(n_in, LANES)  # for a copy of a chunk's rows
    memory = -(-memory * itemsize // 64) * 64 // itemsize
    tiles = np.empty(shares * memory * itemsize + 64, np.uint8)
    tiles_at = -(-np.int64(tiles.ctypes.data) // 64) * 64
    masks = np.empty(shares * blocks, np.uint64)
    results, sizes = np.empty((shares, 1 + classes)), np.empty(16, np.int64)
    sizes[0], sizes[1], sizes[2], sizes[3] = n, n_labels, n_in, n_out
    sizes[4], sizes[5], sizes[6], sizes[7] = x_row, x_column, W_row, W_column
    sizes[8], sizes[9], sizes[10], sizes[11] = b_step, y_step, shares, memory
    sizes[12], sizes[13], sizes[14], sizes[15] = gW != 0, p, delta, y_pred
    sizes_at, masks_at = sizes.ctypes.data, masks.ctypes.data
    results_at = results.ctypes.data
    if shares == 1 or setting(1):
        for t in range(shares):
            share(x, W, b, y, sizes_at, tiles_at, masks_at, results_at, t)
    else:
        for t in numba.prange(shares):
            share(x, W, b, y, sizes_at, tiles_at, masks_at, results_at, t)
    if gW:
        sum_shares(tiles_at, sizes_at, classes, results_at, gW, gb)
    kept_alive(sizes)
    kept_alive(tiles)
    kept_alive(masks)
    total = 0.0
    for t in range(shares):
        if results[t, 0] == -1:
            return -1.0
        total += results[t, 0]
    return total


@cache
def kept(name, function, signature, parallel=False, **callees):
    """Compile a function on its own: an external one, for compiled code that calls it.

    To the caller all pointers are addresses. `callees` are such functions, in the place
    of those of their names that it calls; of a closure, Numba would keep nothing.
    """
    name = f"softmax_regression_{name}"
    function = FunctionType(function.__code__, function.__globals__ | callees)
    CACHED_SRC_FUNCTIONS[function] = f"{CACHE_KEY}, {name}"
    options = {"error_model": "numpy", "cache": config.numba__cache}
    compiled = numba.cfunc(signature, parallel=parallel, **options)(function)
    binding.add_symbol(name, compiled.address)
    _compiled.append(compiled)
    integers = [types.int64] * len(signature.args)
    return types.ExternalFunction(name, signature.return_type(*integers))


_compiled = []  # their code lives as long as they


def kept_run(x, W, y, n_out):
    """Compile what minibatches of these dtypes need; `n_out` is None where not known.

    Returns `run` as a `numba.types.ExternalFunction`, and its first argument, the
    number of classes of a tile.
    """
    x, real, label = (numba.from_dtype(np.dtype(dtype)) for dtype in (x, W, y))
    # So many classes as fit into 16 registers of 32 bytes, in tiles of equal width.
    widest = 10 if W == "float32" else 5
    width = -(-n_out // -(-n_out // widest)) if n_out else widest
    pointer, number = types.CPointer, types.int64
    memory = pointer(Tile(real, width)), pointer(types.uint64), pointer(types.float64)
    sizes, reals, kind = pointer(number), pointer(real), f"{x}_{real}_{label}_{width}"
    arguments = pointer(x), reals, reals, pointer(label), sizes, *memory, number
    one = kept(f"share_{kind}", share, types.void(*arguments))
    arguments = reals, sizes, number, memory[2], reals, reals
    all_of_them = kept(f"sum_{real}", sum_shares, types.void(*arguments))
    signature = types.float64(*[number] * 21)
    callees = {"share": one, "sum_shares": all_of_them}
    return kept(f"run_{kind}", run, signature, parallel=True, **callees), width
