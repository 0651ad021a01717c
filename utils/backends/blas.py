"""BLAS for PyTensor's C code where PyTensor, installed by pip, would find none.

NumPy's wheels for Linux bring an OpenBLAS. PyTensor cannot link to it, because its
names and its integers are not Fortran's; numpy_blas.h, which stands ahead of the C
code, calls it under the names that PyTensor uses. So a `dot` runs as NumPy's does, in a
library that is loaded already, and nothing is compiled for it.
"""

import ctypes
import shlex
from pathlib import Path
from zlib import crc32

from pytensor import config

HEADER = Path(__file__).with_name("numpy_blas.h")


def choose(openmp):
    """Set ``config.blas__ldflags`` unless someone has: to NumPy's BLAS, or to none.

    Asked for a BLAS, PyTensor would search the disk for seconds, and warn if it was
    installed by pip and finds none. `openmp` tells if the compiler takes OpenMP.
    """
    if not _is_set():
        config.blas__ldflags = ldflags(openmp)


def is_linked():
    """Return whether a BLAS was chosen, by a user or by `choose`."""
    return _is_set() and bool(config.blas__ldflags)


def _is_set():
    entry = config._config_var_dict["blas__ldflags"]
    return not entry.is_default or hasattr(entry, "val")


def ldflags(openmp):
    """Find the compiler's flags for NumPy's OpenBLAS; `openmp` is as for `choose`.

    The string is empty where NumPy brings another BLAS, as on macOS and in conda.
    """
    try:
        from numpy._core import _multiarray_umath as numpy_core

        library = ctypes.CDLL(numpy_core.__file__)
    except (ImportError, OSError):
        return ""
    # Found by way of NumPy's module only where the system's loader searches like dlsym.
    if not hasattr(library, "scipy_sgemm_64_"):
        return ""
    # PyTensor knows a compiled module by its flags; the header's text is none of them.
    version = crc32(HEADER.read_bytes())
    flags = [f'-DNUMPY="{numpy_core.__file__}"', f"-DNUMPY_BLAS={version}"]
    flags += [f"--include={HEADER}", *(["-fopenmp"] if openmp else [])]
    return shlex.join(["-ldl", *flags])
