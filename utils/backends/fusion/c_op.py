"""Base of the fused operations: their inputs, and how their C code is compiled."""

from zlib import crc32

import pytensor.tensor as pt
from pytensor.link.c.op import COp

from utils.backends.fusion.kernel_library import TYPES, source

LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
PRECISIONS = tuple(TYPES)


class SoftmaxRegression(COp):
    """An operation on x, W, b and y, with the function `c_function` as its C code."""

    __props__ = ()

    def checked_inputs(self, x, W, b, y):
        """Return the inputs as variables of types that the C code can read."""
        x, W, b, y = map(pt.as_tensor_variable, (x, W, b, y))
        found = [(v.ndim, v.dtype) for v in (x, W, b)]
        real = W.dtype
        fits = found[1:] == [(2, real), (1, real)] and real in PRECISIONS
        if not fits or found[0] not in [(2, real), (2, "uint8")]:
            raise TypeError(
                f"{self}: expected matrix x, matrix W and vector b, all float32 or all "
                f"float64, or x of uint8; found (dimensions, dtype) {found}."
            )
        if y.ndim != 1 or y.dtype not in LABELS:
            raise TypeError(
                f"{self}: expected a vector of labels, {' or '.join(LABELS)}; "
                f"found {y.type}."
            )
        return [x, W, b, y if y.dtype in ("int32", "int64") else y.astype("int64")]

    def check_shapes(self, x, W, b):
        """Raise ValueError unless the values' shapes fit; NumPy would broadcast b."""
        if x.shape[1] != W.shape[0] or b.shape != W.shape[1:] or not len(b):
            raise ValueError(
                f"Softmax regression: shapes do not fit: input {x.shape}, W {W.shape}, "
                f"b {b.shape}."
            )

    def c_headers(self, **kwargs):
        # What problem.h includes in a namespace: its guards must be closed before.
        return ["<stddef.h>", "<stdint.h>", "<stdlib.h>", "<string.h>"]

    def c_compile_args(self, **kwargs):
        return ["-g0"]  # PyTensor asks for debug information, a quarter of the time

    def c_support_code_apply(self, node, name):
        dtype = node.inputs[1].dtype
        return (
            f"#undef REAL\n#define REAL npy_{dtype}\n"
            f"namespace softmax_regression_{dtype} {{\n"
            f"{source('problem.h', 'binding.c')}\n}}"
        )

    def c_code_cache_version(self):
        return (2, crc32(source("problem.h", "binding.c").encode()))

    def c_support_code_struct(self, node, name):
        return f"softmax_regression_{node.inputs[1].dtype}::workspace space_{name};"

    def c_init_code_struct(self, node, name, sub):
        find = f"softmax_regression_{node.inputs[1].dtype}::find_kernel"
        return (
            f"memset(&space_{name}, 0, sizeof(space_{name}));\n"
            f"if ({find}(&space_{name})) {{ {sub['fail']} }}"
        )

    def c_cleanup_code_struct(self, node, name):
        return f"free(space_{name}.memory);"

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = ", ".join([*inputs, *(f"&{output}" for output in outputs)])
        function = f"softmax_regression_{node.inputs[1].dtype}::{self.c_function}"
        return f"if ({function}(&space_{name}, {arguments})) {{ {sub['fail']} }}"
