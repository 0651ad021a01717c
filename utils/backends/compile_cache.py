"""Compile caches on disk, in which a damaged file counts as a missing one.

A machine that loses its power, or a disk that is full, leaves files that are cut short.
PyTensor and Numba would fail on them in every later run.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from functools import cache

from pytensor import config
from pytensor.compile.compilelock import lock_ctx

# A system says so itself, and a compiler quotes it.
_NO_ROOM = ("No space left", "uota exceeded", "File too large", "File size limit")


def advice(error):
    """Say where compiling writes files if a full disk or a limit caused an error.

    That is the rest of a sentence, and empty for any other error.
    """
    if not any(reason in str(error) for reason in _NO_ROOM):
        return ""
    places = [config.compiledir, os.environ.get("TMPDIR") or tempfile.gettempdir()]
    free = [f"{place} ({shutil.disk_usage(place).free >> 20} MiB)" for place in places]
    return (
        f"make room in {' and '.join(free)}, where compiling writes files, raise the "
        "limit of file sizes, or name other folders with "
        "PYTENSOR_FLAGS=base_compiledir=FOLDER and TMPDIR=FOLDER"
    )


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
    """Make Numba compile again what it cannot read in its cache, or cannot keep."""
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

        def save(self, key, data):
            with contextlib.suppress(OSError):  # on a full disk, for example
                super().save(key, data)

    caching.IndexDataCacheFile = CacheFile
