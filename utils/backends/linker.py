"""The linker of the C backend, and what it compiles ahead of all functions."""

import sys
from importlib import import_module

from pytensor import config
from pytensor.graph.utils import MethodNotDefined
from pytensor.link.c.basic import CLinker
from pytensor.link.vm import VMLinker

from utils.backends import c_compiler, compile_cache
from utils.backends.fusion import kernel_library
from utils.errors import BackendError

# GCC makes vector code of a loop of tanh, exp or log where glibc declares its vector
# functions, which it does for -ffast-math alone (that would lose NaN; they do not), and
# where it takes the loop for hot, which one far down in a module is not by default.
VECTOR_CODE = (
    ["-D__FAST_MATH__", "--param=hot-bb-frequency-fraction=1000000000"]
    if sys.platform == "linux"
    else []
)


def start():
    """Begin to compile what every function needs, beside what the caller does.

    That is PyTensor's module which calls the others, and the kernel of `fusion` for
    floatX. Where either fails, the first function that needs it says so.
    """
    c_compiler.in_background(import_module, "pytensor.link.c.cutils")
    kernel_library.start(config.floatX)


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
        except Exception as error:
            # Here, because the import of setuptools in it takes long.
            from pytensor.link.c.exceptions import CompileError

            if not isinstance(error, (CompileError, ImportError, OSError)):
                raise
            lines = str(error).strip().splitlines()
            reason = next((line for line in lines if "error: " in line), lines[0])
            remedy = compile_cache.advice(error) or (
                f"delete PyTensor's compile cache, {config.compiledir}, and run again"
            )
            raise BackendError(
                f"The C backend failed ({reason.strip()}): {remedy}, or choose the "
                "backend numba."
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
        sub = dict.fromkeys(("fail", "failure_var", "params", "struct_id", "id"), "")
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
