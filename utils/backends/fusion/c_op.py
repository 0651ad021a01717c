"""Base of the fused operations: their inputs, and how their C code is compiled."""

import os
from functools import cache
from pathlib import Path
from zlib import crc32

import pytensor.tensor as pt
from pytensor.link.c.op import COp, OpenMPOp

# A thread that waits for another on a busy machine must not keep it off its core. GCC's
# OpenMP reads this when it is loaded; by default its threads spin for milliseconds.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

FOLDER = Path(__file__).parent
LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
PRECISIONS = {"float32": "int32", "float64": "int64"}


@cache
def support_code():
    """Return the C++ text of kernel and binding, in a namespace for each precision."""
    text = "\n".join(
        (FOLDER / name).read_text(encoding="utf-8")
        for name in ("kernel.c", "few_rows.c", "shares.c", "binding.c")
    )
    return "\n".join(
        f"#undef REAL\n#undef BITS\n#define REAL npy_{real}\n#define BITS npy_{bits}\n"
        f"namespace softmax_regression_{real} {{\n{text}\n}}"
        for real, bits in PRECISIONS.items()
    )


def openmp_works():
    """Return whether PyTensor's C++ compiler takes OpenMP; asked once a process."""
    if OpenMPOp.gxx_support_openmp is None:
        OpenMPOp.gxx_support_openmp = bool(OpenMPOp.test_gxx_support())
    return OpenMPOp.gxx_support_openmp


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
        # The kernel's own includes stand in a namespace: their guards must be closed.
        headers = ["<float.h>", "<math.h>", "<stddef.h>", "<stdint.h>", "<stdlib.h>"]
        return [*headers, "<string.h>", *(["<omp.h>"] if openmp_works() else [])]

    def c_compile_args(self, **kwargs):
        # PyTensor asks for debug information, which takes a quarter of the time.
        return ["-g0", *(["-fopenmp"] if openmp_works() else [])]

    def c_no_compile_args(self, **kwargs):
        return ["-ffast-math", "-ffinite-math-only"]  # NaN has to pass through

    def c_support_code(self, **kwargs):
        return support_code()

    def c_code_cache_version(self):
        return (1, crc32(support_code().encode()))

    def c_support_code_struct(self, node, name):
        return f"softmax_regression_{node.inputs[1].dtype}::workspace space_{name};"

    def c_init_code_struct(self, node, name, sub):
        return f"memset(&space_{name}, 0, sizeof(space_{name}));"

    def c_cleanup_code_struct(self, node, name):
        return f"free(space_{name}.memory);"

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = ", ".join([*inputs, *(f"&{output}" for output in outputs)])
        function = f"softmax_regression_{node.inputs[1].dtype}::{self.c_function}"
        return f"if ({function}(&space_{name}, {arguments})) {{ {sub['fail']} }}"
