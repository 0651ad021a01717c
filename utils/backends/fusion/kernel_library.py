"""The kernel as a shared library of its own, for each precision that is used.

It is compiled once, and kept beside PyTensor's modules. They hold only the way from
NumPy arrays to its functions, so that a compiler is soon done with them.
"""

import contextlib
import ctypes
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from zlib import crc32

from pytensor import config
from pytensor.link.c.cmodule import (
    GCC_compiler,
    get_gcc_shared_library_arg,
    get_lib_extension,
)

from utils.backends import c_compiler
from utils.backends.compile_cache import is_whole
from utils.files import write_atomic

# A thread that waits for another on a busy machine must not keep it off its core. GCC's
# OpenMP reads this when it is loaded; by default its threads spin for milliseconds.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

FOLDER = Path(__file__).parent
SOURCES = (
    *("problem.h", "kernel.c", "few_rows.c", "blocks.c", "products.c", "shares.c"),
    "library.c",
)
TYPES = {"float32": ("float", "int32_t"), "float64": ("double", "int64_t")}
REFUSED = "-ffast-math", "-ffinite-math-only"  # NaN has to pass through


def source(*names):
    """Return the text of the C files of these names."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def start(dtype):
    """Begin to compile the library where it is missing, beside what the caller does.

    The result of the Future that is returned is the loaded `ctypes.CDLL`; an error of
    the compiler is raised there as pytensor.link.c.exceptions.CompileError.
    """
    real, bits = TYPES[dtype]
    text = f"#define REAL {real}\n#define BITS {bits}\n{source(*SOURCES)}"
    command = [config.cxx, get_gcc_shared_library_arg(), "-x", "c", "-"]
    command += ["-O3", "-fno-math-errno", "-fvisibility=hidden"]
    command += ["-fopenmp"] if c_compiler.find().openmp else []
    command += [flag for flag in GCC_compiler.compile_args() if flag not in REFUSED]
    key = crc32(repr((text, command, config.gcc_version_str)).encode())
    name = f"softmax_regression_{dtype}_{key:08x}.{get_lib_extension()}"
    return _started(config.compiledir / name, text, tuple(command))


@cache
def _started(path, text, command):
    return c_compiler.in_background(_load, path, text, command)


def _load(path, text, command):
    with contextlib.suppress(OSError):  # missing or damaged: compiled below
        if is_whole(path):
            return ctypes.CDLL(str(path))
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, path.name)
        # In a session of its own: Ctrl-C is the run's business, not the compiler's.
        done = subprocess.run(
            [*command, "-o", library],
            input=text,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode:
            from pytensor.link.c.exceptions import CompileError  # takes long

            # A compiler that was killed says nothing.
            raise CompileError(done.stderr or f"ended with status {done.returncode}")
        write_atomic(path, library.read_bytes())
    return ctypes.CDLL(str(path))


def address(dtype):
    """Return the address of the library's `kernel`, once it is compiled."""
    table = ctypes.c_char.in_dll(start(dtype).result(), "softmax_regression_kernel")
    return ctypes.addressof(table)
