"""BLAS by way of NumPy's library: every call that PyTensor makes, against NumPy."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from conftest import needs_compiler, needs_posix
from processes import run

from utils.backends import blas, compilation_mode

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(not blas.ldflags(False), reason="NumPy brings another BLAS"),
]
TOLERANCES = {"float32": 1e-4, "float64": 1e-11}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "every other": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
}


@pytest.fixture(scope="module", params=TOLERANCES)
def product(request):
    dtype = request.param
    x, W = T.matrix("x", dtype=dtype), T.matrix("W", dtype=dtype)
    v, b = T.vector("v", dtype=dtype), T.vector("b", dtype=dtype)
    outputs = [T.dot(x, W), T.dot(x, v), T.dot(x, W) * 3 + b]
    return dtype, pytensor.function([x, W, v, b], outputs, mode=compilation_mode("c"))


@pytest.mark.parametrize("shape", [(300, 70, 90), (70, 90, 300), (1, 5, 1), (0, 3, 2)])
def test_products_of_any_layout(product, shape):
    """The large ones are shared by threads: rows of the one, columns of the other."""
    dtype, function = product
    n, k, m = shape
    rng = np.random.default_rng(1)
    x, W = rng.normal(size=(n, k)).astype(dtype), rng.normal(size=(k, m)).astype(dtype)
    b = rng.normal(size=m).astype(dtype)
    exact = x.astype("float64") @ W.astype("float64")
    expected = exact, exact[:, 0], exact * 3 + b
    for layouts in itertools.product(LAYOUTS, LAYOUTS):
        of_x, of_W = (LAYOUTS[layout] for layout in layouts)
        results = function(of_x(x), of_W(W), W[:, 0], b)
        for found, wanted in zip(results, expected, strict=True):
            tolerance = TOLERANCES[dtype]
            np.testing.assert_allclose(
                found, wanted, rtol=tolerance, atol=10 * tolerance, err_msg=layouts
            )


def test_products_are_calls_of_blas_in_one_module(product):
    _, function = product
    assert type(function.vm).__name__ == "_CThunk"
    names = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    assert names & {"Gemm", "Dot22", "Dot22Scalar"}
    assert "Dot" not in names


def test_operand_of_which_blas_makes_a_copy_is_used_elsewhere():
    """In one module the other operation would look for the array of before."""
    x, W = T.dmatrix("x"), T.dmatrix("W")
    f = pytensor.function([x, W], [T.dot(x, W), W[:, 0]], mode=compilation_mode("c"))
    value = LAYOUTS["every other"](np.arange(12.0).reshape(3, 4))
    product, column = f(np.eye(3), value)
    np.testing.assert_array_equal(product, value)
    np.testing.assert_array_equal(column, value[:, 0])


def test_choice_of_pytensor_flags_wins():
    """Without a BLAS, as on a machine where none is found: products stay with NumPy."""
    program = """if True:
        import numpy as np, pytensor, pytensor.tensor as T
        from utils.backends import compilation_mode
        x, W, b = T.dmatrix("x"), T.dmatrix("W"), T.dvector("b")
        mode = compilation_mode("c")
        f = pytensor.function([x, W, b], T.dot(x, W) + b, mode=mode)
        print(repr(pytensor.config.blas__ldflags))
        print(*sorted({type(node.op).__name__ for node in f.maker.fgraph.apply_nodes}))
        print(f(np.eye(2), [[1, 2], [3, 4]], [10, 20]).tolist())
    """
    flags = f"blas__ldflags=,base_compiledir={pytensor.config.base_compiledir}"
    done = run("-c", program, environment={"PYTENSOR_FLAGS": flags}, status=0)
    expected = ["''", "DimShuffle Dot Elemwise", "[[11.0, 22.0], [13.0, 24.0]]"]
    assert done.stdout.splitlines() == expected


HIDDEN = """if True:
    import os, sys, warnings
    import numpy as np
    import pytensor
    import pytensor.tensor as T
    from logistic_sgd import LogisticRegression, shared_parameter
    from utils.backends import compilation_mode

    rng = np.random.default_rng(0)
    mode = compilation_mode("c")
    x, y = T.matrix("x"), T.ivector("y")
    W = shared_parameter(rng.normal(size=(200, 300)) * 0.1, "W")
    classifier = LogisticRegression(T.tanh(T.dot(x, W)), 300, 10)
    cost = classifier.negative_log_likelihood(y)
    params = [W, *classifier.params]
    updates = [(p, p - 0.1 * T.grad(cost, p)) for p in params]
    train = pytensor.function([x, y], cost, updates=updates, mode=mode)
    outputs = [classifier.y_pred, classifier.p_y_given_x]
    predict = pytensor.function([x], outputs, mode=mode)
    data = rng.normal(size=(100, 200)), rng.integers(0, 10, 100).astype("int32")
    train(*data)
    labels, p = predict(data[0])
    print("numba" in sys.modules, type(predict.vm).__name__)

    warnings.simplefilter("ignore")  # of forking with threads
    child = os.fork()
    if not child:
        same = predict(data[0])
        fine = (same[0] == labels).all() and np.allclose(same[1], p, rtol=1e-9)
        os._exit(0 if fine else 1)
    print(os.waitpid(child, 0)[1])
"""


@needs_posix
def test_hidden_layer_without_numba_and_without_a_warning_also_in_a_child_of_fork():
    threads = {"OPENBLAS_NUM_THREADS": 2, "OMP_NUM_THREADS": 2}
    done = run("-c", HIDDEN, environment=threads, status=0, timeout=120)
    assert (done.stdout.split(), done.stderr) == (["False", "_CThunk", "0"], "")
