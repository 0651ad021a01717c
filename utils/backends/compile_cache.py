"""Compile caches on disk, in which a damaged file counts as a missing one.

A machine that loses its power, or a disk that is full, leaves files that are cut short.
PyTensor and Numba would fail on them in every later run.
"""

import contextlib
import os
import shutil
import sys
from functools import cache

from pytensor import config
from pytensor.compile.compilelock import lock_ctx


@cache
def mend_c():
    """Delete the modules in PyTensor's cache that are cut short, once a process."""
    libraries = config.compiledir.glob("tmp*/*.so")
    suspects = [library for library in libraries if not is_whole(library)]
    if suspects:
        # Whoever compiles holds the lock: no one is still writing what is damaged now.
        with lock_ctx():
            for library in suspects:
                if not is_whole(library):
                    shutil.rmtree(library.parent, ignore_errors=True)


def is_whole(path):
    """Return whether a shared library has as many bytes as its ELF header says.

    Loading one that has fewer may kill the process (SIGBUS).
    """
    if sys.platform != "linux":
        return True
    with contextlib.suppress(OSError), open(path, "rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:4] != b"\x7fELF":
            return False
        if header[4] == 2:  # 64 bits
            # The table of sections ends the file: its offset, entry size and count.
            offset, size, count = (
                int.from_bytes(header[start:stop], sys.byteorder)
                for start, stop in ((40, 48), (58, 60), (60, 62))
            )
            return offset + size * count <= os.fstat(file.fileno()).st_size
    return True


@cache
def mend_numba():
    """Make Numba compile again what it cannot read in its cache."""
    from numba.core import caching

    class CacheFile(caching.IndexDataCacheFile):
        def _load_index(self):
            # A damaged pickle can raise anything; an empty index is written again.
            with contextlib.suppress(Exception):
                return super()._load_index()
            return {}

        def load(self, key):
            with contextlib.suppress(Exception):
                return super().load(key)
            return None

    caching.IndexDataCacheFile = CacheFile
