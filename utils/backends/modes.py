"""PyTensor modes for the backends C, Numba and JAX."""

import sys

from pytensor import config
from pytensor.compile.mode import Mode, get_mode
from pytensor.graph.utils import MethodNotDefined
from pytensor.link.c.basic import CLinker
from pytensor.link.c.exceptions import CompileError
from pytensor.link.vm import VMLinker

import utils.backends.c_graph
import utils.backends.fusion  # noqa: F401  both register their rewrites
from utils.backends import blas, c_compiler, compile_cache
from utils.errors import BackendError

BACKENDS = ("auto", "c", "numba", "jax")

# GCC makes vector code of a loop of tanh, exp or log where glibc declares its vector
# functions, which it does for -ffast-math alone (that would lose NaN; they do not), and
# where it takes the loop for hot, which one far down in a module is not by default.
VECTOR_CODE = (
    ["-D__FAST_MATH__", "--param=hot-bb-frequency-fraction=1000000000"]
    if sys.platform == "linux"
    else []
)


class OneModuleLinker(CLinker):
    """A linker that compiles a function as one C module, where its operations allow.

    That is one run of the compiler for each function. PyTensor's CVM, which takes the
    other functions, runs it once for each operation.
    """

    updated_vars = {}

    def accept_var_updates(self, updated_vars):
        # The CVM stores new values of shared variables itself, and asks for this.
        self.updated_vars = updated_vars

    def compile_args(self):
        return [*super().compile_args(), *VECTOR_CODE]

    def make_thunk(self, input_storage=None, output_storage=None, storage_map=None):
        arguments = (input_storage, output_storage, storage_map)
        try:
            if _fit_one_module(self.node_order):
                return super().make_thunk(*arguments)
            vm = VMLinker(use_cloop=True).accept(self.fgraph, self.no_recycling)
            vm.accept_var_updates(self.updated_vars)
            flags = " ".join([config.gcc__cxxflags, *VECTOR_CODE])
            with config.change_flags(gcc__cxxflags=flags):
                return vm.make_thunk(*arguments)
        except (CompileError, ImportError) as error:
            lines = str(error).strip().splitlines()
            reason = next((line for line in lines if "error: " in line), lines[0])
            raise BackendError(
                f"The C backend failed ({reason.strip()}): delete PyTensor's compile "
                f"cache, {config.compiledir}, and run again, or choose the backend "
                "numba."
            ) from error


def _fit_one_module(nodes):
    """Return whether the C code of some operations works in one module.

    Some reads an operand as a Python object, ``py_<name>``, which a module has only for
    the function's own inputs; and which no longer is the operand where a BLAS call has
    put a contiguous copy in its place.
    """
    as_objects, copied = set(), set()
    for node in nodes:
        inputs = [f"input_{node.inputs.index(v)}_" for v in node.inputs]
        outputs = [f"output_{i}_" for i in range(len(node.outputs))]
        sub = dict.fromkeys(("fail", "failure_var", "params", "struct_id"), "")
        try:
            code = node.op.c_code(node, "", inputs, outputs, sub)
        except (AttributeError, NotImplementedError, MethodNotDefined):
            return False
        for name, variable in zip(inputs, node.inputs, strict=True):
            if f"py_{name}" in code:
                as_objects.add(variable)
            if f" {name} = " in code:
                copied.add(variable)
    return not as_objects & copied and all(v.owner is None for v in as_objects)


def compilation_mode(backend="auto"):
    """Choose the PyTensor mode that compiles for a backend.

    Parameters
    ----------
    backend : {"auto", "c", "numba", "jax"}
        "auto" (default) is the mode or linker that ``PYTENSOR_FLAGS`` (or
        ``.pytensorrc``) names, otherwise C where a C++ compiler works, otherwise
        Numba. "jax" compiles through XLA for the GPU or TPU that JAX sees, otherwise
        for the CPU, and keeps shared variables there.

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
        backend = "numba" if c_compiler.find().error else "c"
    if backend == "c" and c_compiler.find().error:
        raise BackendError(
            f"The C backend cannot be used: {c_compiler.find().error}. Install g++ and "
            "Python's headers (Debian: apt install g++ python3-dev), or choose the "
            "backend numba."
        )
    if backend == "numba":
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
    blas.choose(c_compiler.find().openmp)
    mode = Mode(OneModuleLinker(), "fast_run")
    # With none linked, NumPy's BLAS is far ahead of PyTensor's own loops in C.
    return mode if blas.is_linked() else mode.excluding("BlasOpt", "c_blas")


def shared_variables(*functions, updated=False):
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


def warm_up(*functions, index=0):
    """Call compiled functions once, and put back every value that they update.

    Numba and JAX compile at the first call; made ahead of training, that call is not
    counted as training time.

    Parameters
    ----------
    *functions : pytensor.compile.executor.Function
        Each takes a minibatch index; those that take more are not called.
    index : int
        A minibatch index that is valid for all of them.
    """
    variables = shared_variables(*functions, updated=True)
    values = [variable.get_value() for variable in variables]
    for function in functions:
        if sum(not entry.shared for entry in function.maker.inputs) == 1:
            function(index)
    for variable, value in zip(variables, values, strict=True):
        variable.set_value(value, borrow=True)
