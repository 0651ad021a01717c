"""The fused operations for all numbers of rows, types of label, numbers of threads."""

import os

import numpy as np
import pytensor
import pytest
import test_fusion_op
from fused import assert_right, expected, mode_of, operations, problem, variables
from pytensor import tensor as pt
from test_fusion_op import each_precision

from utils.backends import c_compiler
from utils.backends.fusion import softmax_regression_loss
from utils.backends.fusion.c_op import LABELS


@each_precision
def test_numba(dtype):
    test_fusion_op.test_values_agree_with_scipy("numba", dtype)
    test_fusion_op.test_each_probability_is_right_in_itself("numba", dtype)


@pytest.mark.parametrize("linker", ["c", "numba"])
@each_precision
def test_batch_sizes_around_chunks_and_shares(linker, dtype):
    for n in [*range(1, 131), 599, 600, 601]:
        assert_right(linker, dtype, problem(n, 19, 10, dtype, seed=n))
        assert_right(linker, dtype, problem(n, 33, 40, dtype, seed=n))


@pytest.mark.parametrize("linker", ["c", "py"])
def test_labels_of_any_integer_type(linker):
    x, W, b, y = problem(70, 7, 100)
    *parameters, _ = variables("float64")
    labels = [pt.vector(dtype=dtype) for dtype in LABELS]
    losses = [softmax_regression_loss(*parameters, label)[0] for label in labels]
    function = pytensor.function(
        [*parameters, *labels], losses, mode=mode_of(linker), on_unused_input="ignore"
    )
    values = [y.astype(dtype) for dtype in LABELS]
    loss, *_ = expected(x, W, b, y)
    np.testing.assert_allclose(function(x, W, b, *values), loss, rtol=1e-12)

    from_the_end = [v if v.dtype.kind == "u" else v - v.dtype.type(100) for v in values]
    np.testing.assert_allclose(function(x, W, b, *from_the_end), loss, rtol=1e-12)

    for i, dtype in enumerate(LABELS):
        for wrong in {100, np.iinfo(dtype).max, np.iinfo(dtype).min} - {0}:
            spoiled = [v.copy() for v in values]
            spoiled[i][69] = wrong
            with pytest.raises(IndexError, match="out of bounds"):
                function(x, W, b, *spoiled)


THREADED_RUN = """
import hashlib, os
from fused import assert_right, operations, problem
values, function = problem(2000, 784, 10, "float32"), operations("c", "float32")
before = set(os.listdir("/proc/self/task"))  # one that compiled may just be ending
for _ in range(3):
    outputs = function(*values)
    print(hashlib.sha256(b"".join(v.tobytes() for v in outputs)).hexdigest())
print(1 + len(set(os.listdir("/proc/self/task")) - before))
assert_right("c", "float32", values)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads there")
def test_runs_with_as_many_threads_are_equal_bit_for_bit(start):
    operations("c", "float32")
    if not c_compiler.find().openmp:
        pytest.skip("needs a compiler with OpenMP")
    counts = 1, 2, 3, 3
    runs = [
        start("-c", THREADED_RUN, environment={"OMP_NUM_THREADS": count})
        for count in counts
    ]
    results = [run.communicate()[0].split() for run in runs]
    assert [run.returncode for run in runs] == [0] * 4
    for count, (*digests, n_threads) in zip(counts, results, strict=True):
        assert n_threads == str(count)
        assert len(set(digests)) == 1
    assert results[2] == results[3]
