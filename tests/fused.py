"""The fused operations compiled, graphs for them, and their results by SciPy.

Most graphs run the Python code of the operations, as the C linkers get them.
"""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from pytensor import grad
from pytensor.compile.mode import Mode
from pytensor.link.basic import PerformLinker
from scipy.special import softmax

import logistic_sgd
from utils.backends import c_compiler, compilation_mode
from utils.backends.fusion import softmax_regression_errors, softmax_regression_loss
from utils.backends.fusion.op import (
    SoftmaxRegressionErrors,
    SoftmaxRegressionLoss,
    SoftmaxRegressionRows,
    softmax_regression_rows,
)

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
N, N_IN, N_OUT = 61, 7, 5


def mode_of(linker):
    if linker in ("c", "cvm", "fused") and c_compiler.find().error:
        pytest.skip(f"needs a C++ compiler: {c_compiler.find().error}")
    if linker == "fused":  # C's rewrites, run by Python: nothing is compiled
        return Mode("py", compilation_mode("c").optimizer)
    if linker == "jax":
        pytest.importorskip("jax", reason="the JAX backend needs the extra `jax`")
    backends = "c", "numba", "jax"
    return compilation_mode(linker) if linker in backends else Mode(linker)


def variables(dtype, label_dtype="int32"):
    """Symbolic x, W, b, y."""
    names = zip("xWby", (dtype, dtype, dtype, label_dtype), (2, 2, 1, 1), strict=True)
    return [pt.tensor(v, dtype=d, shape=(None,) * ndim) for v, d, ndim in names]


@cache
def operations(linker, dtype):
    """A function of x, W, b, y: loss, gW, gb, errors; the first three by rows, rows."""
    inputs = variables(dtype)
    outputs = [*softmax_regression_loss(*inputs), softmax_regression_errors(*inputs)]
    outputs += softmax_regression_rows(*inputs)
    return pytensor.function(inputs, outputs, mode=mode_of(linker))


def problem(n, n_in, n_out, dtype="float64", seed=0):
    """Values of x, W, b, y: pixels in [0, 1), logits of a few units."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, n_in)).astype(dtype)
    W = (rng.normal(size=(n_in, n_out)) * 3 / np.sqrt(n_in)).astype(dtype)
    y = rng.integers(0, n_out, n).astype("int32")
    return x, W, rng.normal(size=n_out).astype(dtype), y


def expected(x, W, b, y):
    """The first results of `operations`, by NumPy and SciPy in float64."""
    x, W, b = (np.asarray(v, "float64") for v in (x, W, b))
    return *reference.cost_and_gradients(W, b, x, y), reference.error(W, b, x, y)


def assert_close(found, truth, dtype):
    """Largest difference over largest magnitude is within the precision's tolerance."""
    truth = np.asarray(truth)
    assert (found.dtype, found.shape) == (dtype, truth.shape)
    magnitude = np.abs(truth[np.isfinite(truth)]).max(initial=0)
    atol = TOLERANCES[dtype] * magnitude
    np.testing.assert_allclose(found, truth, rtol=0, atol=atol)


def assert_right(linker, dtype, values, truth=None):
    *found, errors, loss, gW, gb, p, delta, y_pred = operations(linker, dtype)(*values)
    *truth, mistakes = expected(*values) if truth is None else truth
    for output, again, value in zip(found, (loss, gW, gb), truth, strict=True):
        assert_close(output, value, dtype)
        assert output.tobytes() == again.tobytes()
    assert_close(errors, mistakes, "float64")

    x, W, b, y = (np.asarray(v, "float64") for v in values)
    true_p = softmax(x @ W + b, axis=1)
    assert_close(p, true_p, dtype)
    hot = np.arange(len(b)) == (y % len(b))[:, None]
    assert_close(delta, (true_p - hot) / len(y), dtype)
    np.testing.assert_array_equal(y_pred, p.argmax(axis=1))


class PythonLinker(PerformLinker):
    """The Python linker, with the rewrites that PyTensor keeps for the C linkers."""

    required_rewrites = ("minimum_compile",)
    incompatible_rewrites = ()


# "c_blas" has PyTensor look for a BLAS for seconds; the other is for C code only.
FUSED = Mode(PythonLinker(), "fast_run").excluding("c_blas", "local_careduce_fusion")
PLAIN = FUSED.excluding("fusion")
LOSS, ERRORS = [SoftmaxRegressionLoss], [SoftmaxRegressionErrors]
ROWS = [SoftmaxRegressionRows]  # the loss, with what else needs its rows


class Model:
    """A classifier with random parameters, its inputs, and values for them."""

    def __init__(self, dtype="float64", module=logistic_sgd, label_dtype="int32"):
        x_value, self.W_value, self.b_value, y_value = problem(N, N_IN, N_OUT, dtype)
        self.x, self.y = pt.matrix("x", dtype=dtype), pt.vector("y", dtype=label_dtype)
        self.other = pt.vector("other", dtype="int32")
        self.weights = pt.vector("weights", dtype=dtype)
        with pytensor.config.change_flags(floatX=dtype):
            self.classifier = module.LogisticRegression(self.x, N_IN, N_OUT)
        self.W, self.b = self.classifier.W, self.classifier.b
        self.params = self.classifier.params
        if len(self.params) == 1:
            self.params[0].set_value(np.append(self.W_value, self.b_value))
        else:
            self.W.set_value(self.W_value)
            self.b.set_value(self.b_value)
        self.p = self.classifier.p_y_given_x
        self.z = pt.dot(self.x, self.W) + self.b
        self.cost = self.classifier.negative_log_likelihood(self.y)
        self.errors = self.classifier.errors(self.y)
        self.rows = pt.arange(self.y.shape[0])
        self.picked = pt.log(self.p)[self.rows, self.y]
        self.inputs = [self.x, self.y, self.other, self.weights]
        rng = np.random.default_rng(8)
        other = rng.integers(0, N_OUT, N).astype("int32")
        weights = rng.random(N).astype(dtype)
        self.values = [x_value, y_value.astype(label_dtype), other, weights]

    def with_gradients(self, cost):
        return [cost, *grad(cost, self.params)]

    def loss(self, p, y=None, rows=None):
        """The loss of other probabilities, labels or rows, as the lesson writes it."""
        y = self.y if y is None else y
        return -pt.mean(pt.log(p)[pt.arange(y.shape[0]) if rows is None else rows, y])

    def one_label(self):
        """Labels of a static length 1 instead of `y`."""
        self.inputs[1] = pt.tensor("y", dtype="int32", shape=(1,))
        self.values[1] = self.values[1][:1]
        return self.inputs[1]


def gradients_of(costs):
    """Functions that give each of these costs with its gradients."""
    return {
        name: lambda m, cost=cost: m.with_gradients(cost(m))
        for name, cost in costs.items()
    }


def softmax_of(x, W, b, axis=1):
    return pt.special.softmax(pt.dot(x, W) + b, axis=axis)


def errors_of(p, y):
    return pt.neq(pt.argmax(p, axis=1), y).mean()


def compiled(inputs, outputs, mode, **keywords):
    """A function; a rewrite that fails raises."""
    # The Python linker would compile inner graphs, but for this.
    python = isinstance(mode.linker, PerformLinker)
    cxx = "" if python else pytensor.config.cxx
    with pytensor.config.change_flags(cxx=cxx, on_opt_error="raise"):
        return pytensor.function(
            inputs, outputs, mode=mode, on_unused_input="ignore", **keywords
        )


def fused_operations(function):
    """The types of this project's operations in a compiled function."""
    ops = [type(node.op) for node in function.maker.fgraph.toposort()]
    return [op for op in ops if op.__module__.startswith("utils.backends.fusion")]


def assert_graph(m, outputs, expected):
    """These operations replace parts of the graph."""
    assert fused_operations(compiled(m.inputs, outputs, FUSED)) == expected


def both(m, outputs, expected=None, **keywords):
    """Pairs of results, of the graph with these operations and of PyTensor's own."""
    fused, plain = (
        compiled(m.inputs, outputs, mode, **keywords) for mode in (FUSED, PLAIN)
    )
    assert fused_operations(plain) == []
    if expected is not None:
        assert fused_operations(fused) == expected
    return zip(fused(*m.values), plain(*m.values), strict=True)


def assert_fused(m, outputs, expected=None, **keywords):
    """These operations replace parts of the graph (default: any); results remain."""
    for found, truth in both(m, outputs, expected, **keywords):
        if truth.dtype.name in TOLERANCES:
            assert_close(found, truth, truth.dtype.name)
        else:
            np.testing.assert_array_equal(found, truth)


def special_values(m):
    """Problems whose logits are large or not finite, with their names."""
    x, y, *_ = m.values
    # A pixel, an example, a bias, a weight.
    for which, place in (0, (3, 2)), (0, 50), (2, 1), (1, (4, 3)):
        for number in (np.nan, np.inf, -np.inf):
            spoiled = x.copy(), m.W_value.copy(), m.b_value.copy()
            spoiled[which][place] = number
            yield f"{number} at {place} of {'xWb'[which]}", *spoiled, y
    yield "a thousand", x, 1000 * np.sign(m.W_value), m.b_value, y
    yield "overflow", x, 1e300 * np.sign(m.W_value).astype("float64"), m.b_value, y
    yield "no examples", x[:0], m.W_value, m.b_value, y[:0]


def assert_special_values_pass_through(mode, dtype):
    """Numbers that are large or not finite give what the plain graph gives."""
    m = Model(dtype)
    shapes = ((None, N_IN), (N_IN, N_OUT), (N_OUT,))
    x, W, b = (pt.tensor(dtype=dtype, shape=shape) for shape in shapes)
    p = softmax_of(x, W, b)
    for outputs, op in (
        ([m.loss(p), *grad(m.loss(p), [W, b])], LOSS),
        ([*grad(-2 * m.loss(p), [x, W, b]), p, pt.argmax(p, axis=1)], ROWS),
        ([errors_of(p, m.y)], ERRORS),
    ):
        fused, plain = (
            compiled([x, W, b, m.y], outputs, mode=mode) for mode in (mode, PLAIN)
        )
        assert fused_operations(fused) == op
        for name, *values, y in special_values(m):
            with np.errstate(all="ignore"):
                values = [v.astype(dtype) for v in values]
                found, truth = fused(*values, y), plain(*values, y)
            for a, b_ in zip(found, truth, strict=True):
                np.testing.assert_array_equal(np.isnan(a), np.isnan(b_), name)
                if b_.dtype == dtype:
                    assert_close(a, b_, dtype)
                else:
                    np.testing.assert_array_equal(a, b_, name)


def assert_derivative(gradient, cost, values, i):
    """`gradient` of `cost` by values[i] is that of finite differences, in a direction.

    `cost` is a function of NumPy arrays.
    """
    direction = np.random.default_rng(i).normal(size=values[i].shape)
    above, below = (
        cost(*values[:i], values[i] + shift * direction, *values[i + 1 :])
        for shift in (1e-5, -1e-5)
    )
    slope = (gradient * direction).sum()
    np.testing.assert_allclose(slope, (above - below) / 2e-5, rtol=1e-6, atol=1e-8)


def assert_sgd_is_fused(mode):
    """The lesson's two functions over minibatches of shared data train as NumPy's."""
    m = Model("float32")
    x, y = pytensor.shared(m.values[0]), pytensor.shared(m.values[1])
    index = pt.lscalar("index")
    batch = slice(index * 20, (index + 1) * 20)
    step, givens = np.float32(0.5), {m.x: x[batch], m.y: y[batch]}
    updates = [(param, param - step * grad(m.cost, param)) for param in m.params]
    train = compiled([index], m.cost, mode, updates=updates, givens=givens)
    validate = compiled([index], m.errors, mode, givens=givens)
    assert (fused_operations(train), fused_operations(validate)) == (LOSS, ERRORS)

    W, b = m.W_value.astype("float64"), m.b_value.astype("float64")
    for i in (0, 1, 2, 0, 1):
        x, y = (value[i * 20 : (i + 1) * 20] for value in m.values[:2])
        cost, gW, gb = reference.cost_and_gradients(W, b, x, y)
        W, b = W - 0.5 * gW, b - 0.5 * gb
        np.testing.assert_allclose(train(i), cost, rtol=1e-5)
        assert_close(m.W.get_value(), W, "float32")
        assert_close(m.b.get_value(), b, "float32")
        assert validate(i) == reference.error(W, b, x, y)
