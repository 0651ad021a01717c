"""Abilities of the C++ compiler, found out once and remembered.

PyTensor finds the processor's flags and tries OpenMP at the start of each process, for
which it runs the compiler four times. The answers are kept beside its compiled modules,
and hold for one compiler, one Python and one processor.
"""

import contextlib
import functools
import json
import os
import platform
import sysconfig
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pytensor import config
from pytensor.link.c import cmodule
from pytensor.link.c.cmodule import GCC_compiler
from pytensor.link.c.op import OpenMPOp

from utils.files import write_atomic

# Python's header is included only where it is missing: to read it takes longest.
_PROGRAM = """
#if !__has_include(<Python.h>)
#include <Python.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif
int main() {
    int sum = 0;
    #pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 3; i++) sum += i;
    return sum;
}
"""


@dataclass(frozen=True)
class Compiler:
    """Abilities of a compiler."""

    error: str = ""  # why nothing can be compiled; empty where it can
    openmp: bool = False
    march_flags: tuple = ()  # those for this processor, as PyTensor finds them


@functools.cache
def find():
    """Find out what PyTensor's C++ compiler can do, and tell PyTensor: a `Compiler`."""
    if not config.cxx:
        return Compiler(error="no C++ compiler (g++ or clang++) was found")
    path, key = Path(config.compiledir) / "c_compiler.json", _key()
    found = _remembered(path, key)
    if found is None:
        found = _probe()
        if found.error:
            return found
        with contextlib.suppress(OSError):  # next time it takes a second longer
            write_atomic(path, json.dumps({"key": key} | asdict(found)).encode())
    _tell_pytensor(found)
    return found


def in_background(function, *arguments):
    """Call a function in a thread of its own, as a compiler's run; returns a Future.

    The end of the program waits for it. No thread is kept: a forked child has none.
    """
    executor = ThreadPoolExecutor(1)
    future = executor.submit(function, *arguments)
    executor.shutdown(wait=False)
    return future


def _key():
    """Describe what the answers hold for: compiler, Python, processor and flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(s for s in lines if s.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        cpu = platform.processor()
    try:
        compiler = os.stat(config.cxx)
    except OSError:  # a name without a folder, for example
        return None
    return [
        config.cxx,
        compiler.st_size,
        compiler.st_mtime_ns,
        config.gcc__cxxflags,
        sysconfig.get_paths()["include"],
        f"{platform.machine()} {zlib.crc32(cpu.encode())}",
    ]


def _remembered(path, key):
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if key is None or entry["key"] != key:
            return None
        return Compiler("", entry["openmp"], tuple(entry["march_flags"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None  # missing or damaged: found out again


def _probe():
    """Compile a few lines, with and without OpenMP, and ask for the CPU's flags."""
    openmp = not _complaint("-fopenmp")
    error = "" if openmp else _complaint()
    if error:
        return Compiler(error=error)
    GCC_compiler.compile_args()
    return Compiler(openmp=openmp, march_flags=tuple(GCC_compiler.march_flags or ()))


def _complaint(*flags):
    """Return why the few lines cannot be compiled and linked; empty where they can."""
    compiles, _, errors = GCC_compiler.try_compile_tmp(
        _PROGRAM,
        flags=[f"-I{sysconfig.get_paths()['include']}", *flags],
        output=True,
        comp_args=False,
    )
    if compiles:
        return ""
    text = errors if isinstance(errors, str) else errors.decode(errors="replace")
    first, *_ = text.strip().splitlines() or ["no message"]
    return f"{config.cxx} could not compile a small test program ({first})"


def _tell_pytensor(found):
    """Set the two answers where PyTensor itself keeps them for a process, and a third.

    For the ending of a module's name it would import setuptools, longer than NumPy.
    """
    cmodule._get_ext_suffix = functools.partial(sysconfig.get_config_var, "EXT_SUFFIX")
    if GCC_compiler.march_flags is None:
        GCC_compiler.march_flags = list(found.march_flags)
    if OpenMPOp.gxx_support_openmp is None:
        OpenMPOp.gxx_support_openmp = found.openmp
