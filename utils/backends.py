"""A backend's name -> the PyTensor Mode that compiles for it."""

import subprocess
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from pytensor import config
from pytensor.compile.mode import get_mode

BACKENDS = ("auto", "c", "numba", "jax")


class BackendError(ValueError):
    """A backend that does not exist, or that this machine cannot run."""


@cache
def c_compiler_error():
    """Why PyTensor cannot compile C here; an empty string where it can.

    PyTensor only looks whether a compiler is installed; whether that compiler finds
    Python's headers and can link is seen by compiling three lines.
    """
    if not config.cxx:
        return "no C++ compiler (g++ or clang++) was found"
    source = "#include <Python.h>\nint probe() { return PY_MAJOR_VERSION; }\n"
    include = f"-I{sysconfig.get_paths()['include']}"
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "probe.so")
        command = [config.cxx, "-shared", "-fPIC", include, "-x", "c++", "-"]
        try:
            run = subprocess.run(
                [*command, "-o", output], input=source, capture_output=True, text=True
            )
        except OSError as error:
            return f"{config.cxx} could not be started ({error})"
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[0]
        return f"{config.cxx} could not compile a small test program ({last})"
    return ""


def compilation_mode(backend="auto"):
    """The PyTensor Mode of a backend.

    Parameters
    ----------
    backend : {"auto", "c", "numba", "jax"}
        "auto" (default) is the mode or linker that ``PYTENSOR_FLAGS`` (or
        ``.pytensorrc``) names, else C where a C++ compiler works, else Numba. "jax"
        compiles through XLA for the GPU or TPU that JAX sees, else for the CPU, and
        keeps shared variables there.

    Returns
    -------
    pytensor.compile.mode.Mode

    Raises
    ------
    BackendError
        Where the backend is unknown or refused, or what it needs is not installed.
    """
    if backend == "pytorch":
        raise BackendError(
            "Backend 'pytorch' is refused: PyTensor's PyTorch backend has no Argmax, "
            "and copies every result, the parameters too, back to the host at each "
            f"step. Choose one of {', '.join(BACKENDS)}."
        )
    if backend not in BACKENDS:
        raise BackendError(
            f"Backend {backend!r} is not known: choose one of {', '.join(BACKENDS)}."
        )
    if backend == "auto":
        if config.mode != "Mode" or config.linker != "auto":
            return get_mode(None)
        backend = "numba" if c_compiler_error() else "c"
    if backend == "c" and c_compiler_error():
        raise BackendError(
            f"The C backend cannot be used: {c_compiler_error()}. Install g++ and "
            "Python's headers (Debian: apt install g++ python3-dev), or choose the "
            "backend numba."
        )
    if backend == "numba":
        return get_mode("NUMBA")
    if backend == "jax":
        return _jax_mode()
    blas = config._config_var_dict["blas__ldflags"]
    if blas.is_default and not hasattr(blas, "val"):
        # Asked for a BLAS, PyTensor searches the disk for seconds, and warns where it
        # was installed by pip and finds none.
        config.blas__ldflags = ""
    mode = get_mode("CVM")
    # With none linked, NumPy's BLAS is far ahead of PyTensor's own loops in C.
    return mode if config.blas__ldflags else mode.excluding("BlasOpt", "c_blas")


def _jax_mode():
    # JAX takes about a second to import: only who asks for it pays.
    try:
        from utils.jax_backend import jax_mode
    except ImportError as error:
        raise BackendError(
            f"The JAX backend cannot be used: {error}. Install it with "
            "`python -m pip install -e '.[jax]'` (for a GPU see JAX's own "
            "installation page), or choose the backend c or numba."
        ) from error
    return jax_mode()


def call_once(functions, index, params):
    """Call compiled functions once and leave the parameters as they were.

    Numba and JAX compile at the first call; made ahead of training, that call is not
    counted as training time.

    Parameters
    ----------
    functions : sequence of pytensor.compile.executor.Function
        Each takes a minibatch index.
    index : int
        A minibatch index that is valid for all of them.
    params : sequence of shared variables
        What the functions may update.
    """
    values = [param.get_value() for param in params]
    for function in functions:
        function(index)
    for param, value in zip(params, values, strict=True):
        param.set_value(value)
