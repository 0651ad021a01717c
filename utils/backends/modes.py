"""PyTensor modes for the backends C, Numba and JAX."""

from pytensor import config
from pytensor.compile.executor import Function
from pytensor.compile.mode import Mode, get_mode
from pytensor.compile.sharedvalue import SharedVariable

import utils.backends.c_graph
import utils.backends.fusion  # noqa: F401  both register their rewrites
from utils.backends import blas, c_compiler, compile_cache, linker
from utils.errors import BackendError

BACKENDS = ("auto", "c", "numba", "jax")


def compilation_mode(backend: str = "auto") -> Mode:
    """Choose the PyTensor mode that compiles for a backend.

    Parameters
    ----------
    backend : {"auto", "c", "numba", "jax"}
        "auto" (default) is the mode or linker that ``PYTENSOR_FLAGS`` (or
        ``.pytensorrc``) names, with JAX as "jax", otherwise C where a C++ compiler
        works, otherwise Numba. "jax" compiles through XLA for the GPU or TPU that JAX
        sees, otherwise for the CPU, and keeps shared variables there.

    Returns
    -------
    pytensor.compile.mode.Mode

    Raises
    ------
    BackendError
        Where the backend is unknown or refused, or what it needs is not installed.
    """
    named = {str(config.mode).lower(), config.linker}
    if backend == "auto":
        # PyTensor's own modes of these cannot compile the lesson's graphs.
        backend = next(iter(named & {"jax", "pytorch", "mlx"}), "auto")
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
    _check_settings()
    if backend == "auto":
        if named != {"mode", "auto"}:
            return get_mode(None)
        backend = "numba" if c_compiler.find().error else "c"
    if backend == "c" and c_compiler.find().error:
        error = c_compiler.find().error
        remedy = compile_cache.advice(error) or (
            "install g++ and Python's headers (Debian: apt install g++ python3-dev)"
        )
        raise BackendError(
            f"The C backend cannot be used: {error}: {remedy}, or choose the backend "
            "numba."
        )
    if backend == "numba":
        _check_numba()
        compile_cache.mend_numba()
        return get_mode("NUMBA")
    if backend == "jax":
        try:  # here, because JAX takes about a second to import
            from utils.backends.jax_backend import jax_mode
        except ImportError as error:
            raise BackendError(
                f"The JAX backend cannot be used: {error}. Install it with "
                "`python -m pip install -e '.[jax]'` (for a GPU see JAX's own "
                "installation page), or choose the backend c or numba."
            ) from error
        return jax_mode()
    compile_cache.mend_c()
    linker.start()
    blas.choose(c_compiler.find().openmp)
    mode = Mode(linker.OneModuleLinker(), "fast_run")
    # With none linked, NumPy's BLAS is far ahead of PyTensor's own loops in C.
    return mode if blas.is_linked() else mode.excluding("BlasOpt", "c_blas")


def _check_settings():
    """Refuse what PyTensor can be set to and the lesson's graphs cannot be."""
    refused = {
        "floatX": ({"float16"}, "choose float32 or float64"),
        "warn_float64": ({"raise", "pdb"}, "error rates are float64: leave it out"),
    }
    for name, (values, remedy) in refused.items():
        if getattr(config, name) in values:
            raise BackendError(
                f"PyTensor's setting {name}={getattr(config, name)} cannot be used: "
                f"{remedy} (PYTENSOR_FLAGS or .pytensorrc)."
            )


def _check_numba():
    """Refuse settings in NUMBA_ variables with which PyTensor cannot use Numba."""
    try:
        from numba import config as settings

        error = "it compiles nothing" if settings.DISABLE_JIT else ""
    except (ImportError, ValueError) as failed:
        error = failed
    if error:
        raise BackendError(
            f"The backend numba cannot be used ({error}): mend or unset the "
            "environment variables that begin with NUMBA_, such as NUMBA_DISABLE_JIT."
        )


def shared_variables(
    *functions: Function, updated: bool = False
) -> list[SharedVariable]:
    """Find the shared variables of compiled functions.

    Parameters
    ----------
    *functions : pytensor.compile.executor.Function
    updated : bool
        True gives only those that stand on the left of an update. Default False.

    Returns
    -------
    list of shared variables
        Each once, in the order of the functions and of what they compute.
    """
    inputs = [entry for function in functions for entry in function.maker.inputs]
    wanted = (e for e in inputs if e.shared and not (updated and e.update is None))
    return list(dict.fromkeys(entry.variable for entry in wanted))


def warm_up(*functions: Function) -> None:
    """Call compiled functions once, and put back every value that they update.

    Numba and JAX compile at the first call; made ahead of training, that call is not
    counted as training time. From then on an index is converted without a check that
    this loses nothing (1.5 becomes 1): PyTensor's check takes a tenth of a step.

    Parameters
    ----------
    *functions : pytensor.compile.executor.Function
        Each takes a minibatch index, and is called with 0; those that take more are
        not called.
    """
    variables = shared_variables(*functions, updated=True)
    values = [variable.get_value() for variable in variables]
    for function in functions:
        entries = zip(function.maker.inputs, function.input_storage, strict=True)
        containers = [container for entry, container in entries if not entry.shared]
        if len(containers) == 1:
            function(0)
            containers[0].allow_downcast = True
    for variable, value in zip(variables, values, strict=True):
        variable.set_value(value, borrow=True)
