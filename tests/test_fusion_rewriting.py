"""Which graphs the fused operations replace, and which only look alike.

Most tests run the Python code of the operations, on the graph that the C linkers get.
"""

from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from pytensor import grad
from pytensor.compile.mode import Mode, get_mode
from pytensor.link.basic import PerformLinker
from test_fusion_op import TOLERANCES, assert_close, mode_of, problem

import logistic_cg
import logistic_sgd
from utils.backends.fusion.op import (
    SoftmaxRegressionErrors,
    SoftmaxRegressionLoss,
    softmax_regression_loss,
)
from utils.backends.fusion.patterns import MOST_WEIGHTS

N, N_IN, N_OUT = 61, 7, 5


class PythonLinker(PerformLinker):
    """The Python linker, with the rewrites that PyTensor keeps for the C linkers."""

    required_rewrites = ("minimum_compile",)
    incompatible_rewrites = ()


# "c_blas" has PyTensor look for a BLAS for seconds; the other is for C code only.
FUSED = Mode(PythonLinker(), "fast_run").excluding("c_blas", "local_careduce_fusion")
PLAIN = FUSED.excluding("fusion")
LOSS, ERRORS = [SoftmaxRegressionLoss], [SoftmaxRegressionErrors]
EITHER = None  # as well fused as not, as long as the results are right

# PyTensor's own, in the Python code of its Invert.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")
each_precision = pytest.mark.parametrize("dtype", TOLERANCES)


@pytest.fixture(autouse=True)
def rewrites_that_fail_raise():
    """By default their errors are only logged. And constants fold uncompiled."""
    with pytensor.config.change_flags(on_opt_error="raise", linker="py"):
        yield


def fused_operations(function):
    """The types of this project's operations in a compiled function."""
    ops = [type(node.op) for node in function.maker.fgraph.toposort()]
    return [op for op in ops if op.__module__.startswith("utils.backends.fusion")]


def model(dtype="float64", module=logistic_sgd, x=None, label_dtype="int32"):
    """A classifier with random parameters, its inputs, and values for them."""
    rng = np.random.default_rng(8)
    x_value, W, b, y_value = problem(N, N_IN, N_OUT, dtype)
    m = SimpleNamespace(
        x=pt.matrix("x", dtype=dtype), y=pt.vector("y", dtype=label_dtype)
    )
    m.other = pt.vector("other", dtype="int32")
    m.weights = pt.vector("weights", dtype=dtype)
    with pytensor.config.change_flags(floatX=dtype):
        m.classifier = module.LogisticRegression(m.x if x is None else x, N_IN, N_OUT)
    m.W, m.b, m.params = m.classifier.W, m.classifier.b, m.classifier.params
    m.W_value, m.b_value = W, b
    if len(m.params) == 1:
        m.params[0].set_value(np.append(W, b))
    else:
        m.W.set_value(W)
        m.b.set_value(b)
    m.z, m.p = pt.dot(m.x, m.W) + m.b, m.classifier.p_y_given_x
    m.cost = m.classifier.negative_log_likelihood(m.y)
    m.errors = m.classifier.errors(m.y)
    m.rows = pt.arange(m.y.shape[0])
    m.inputs = [m.x, m.y, m.other, m.weights]
    m.values = [
        x_value,
        y_value.astype(label_dtype),
        rng.integers(0, N_OUT, N).astype("int32"),
        rng.random(N).astype(dtype),
    ]
    return m


def with_gradients(m, cost):
    return [cost, *grad(cost, m.params)]


def compiled(inputs, outputs, mode, **keywords):
    """A function; the Python linker would compile inner graphs, but for this."""
    python = isinstance(mode.linker, PerformLinker)
    cxx = "" if python else pytensor.config.cxx
    with pytensor.config.change_flags(cxx=cxx):
        return pytensor.function(inputs, outputs, mode=mode, **keywords)


def both(inputs, outputs, **keywords):
    """The function with the fused operations, and the one of `mode.excluding`."""
    keywords = {"on_unused_input": "ignore"} | keywords
    functions = [
        compiled(inputs, outputs, mode=mode, **keywords) for mode in (FUSED, PLAIN)
    ]
    assert fused_operations(functions[1]) == []
    return functions


def assert_fused(m, outputs, expected):
    """These operations replace the expression, and the results remain."""
    fused, plain = both(m.inputs, outputs)
    if expected is not EITHER:
        assert fused_operations(fused) == expected
    for found, truth in zip(fused(*m.values), plain(*m.values), strict=True):
        if truth.dtype.name in TOLERANCES:
            assert_close(found, truth, truth.dtype.name)
        else:
            np.testing.assert_array_equal(found, truth)


@each_precision
def test_loss_and_gradients_become_one_operation(dtype):
    m = model(dtype)
    fused, plain = both([m.x, m.y], with_gradients(m, m.cost))
    (node,) = fused.maker.fgraph.toposort()
    assert isinstance(node.op, SoftmaxRegressionLoss)
    assert {str(v) for v in node.inputs} == {"x", "W", "b", "y"}

    x, y, *_ = m.values
    truth = reference.cost_and_gradients(m.W_value, m.b_value, x, y)
    for function in (fused, plain):
        for found, value in zip(function(x, y), truth, strict=True):
            np.testing.assert_allclose(found, value, atol=TOLERANCES[dtype])


@each_precision
def test_errors_become_one_operation(dtype):
    m = model(dtype)
    fused, plain = both([m.x, m.y], m.errors)
    (node,) = fused.maker.fgraph.toposort()
    assert isinstance(node.op, SoftmaxRegressionErrors)
    x, y, *_ = m.values
    truth = reference.error(m.W_value, m.b_value, x, y)
    assert (fused(x, y), plain(x, y)) == (truth, truth)


@each_precision
def test_flat_theta_gets_cost_and_gradient_from_one_operation(dtype):
    m = model(dtype, logistic_cg)
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


@pytest.mark.parametrize("tag", ["fusion", "softmax_regression"])
def test_a_mode_without_the_tag_keeps_the_plain_graph(tag):
    m = model()
    outputs = [*with_gradients(m, m.cost), m.errors]
    function = compiled([m.x, m.y], outputs, mode=FUSED.excluding(tag))
    assert fused_operations(function) == []


def test_linkers_that_lack_the_operations_keep_the_plain_graph():
    m = model()
    outputs = [*with_gradients(m, m.cost), m.errors]
    for rewrites in ("fast_run", "fast_compile"):
        function = compiled([m.x, m.y], outputs, mode=Mode("py", rewrites))
        assert fused_operations(function) == []


def test_numba_gets_the_operations():
    m = model("float32")
    function = compiled([m.x, m.y], with_gradients(m, m.cost), mode=get_mode("NUMBA"))
    assert fused_operations(function) == LOSS
    function = compiled([m.x, m.y], m.errors, mode=get_mode("NUMBA"))
    assert fused_operations(function) == ERRORS


def sgd(m, mode, batch_size):
    """The lesson's two functions over minibatches of shared data."""
    x, y, *_ = (pytensor.shared(value) for value in m.values)
    index = pt.lscalar("index")
    batch = slice(index * batch_size, (index + 1) * batch_size)
    step = np.asarray(0.5, m.x.dtype)
    updates = [
        (param, param - step * grad(m.cost, param)) for param in m.classifier.params
    ]
    givens = {m.x: x[batch], m.y: y[batch]}
    return (
        compiled([index], m.cost, updates=updates, givens=givens, mode=mode),
        compiled([index], m.errors, givens=givens, mode=mode),
    )


@pytest.mark.parametrize("linker", ["python", "c", "cvm"])
def test_sgd_on_slices_of_shared_data(linker):
    m = model("float32")
    mode = FUSED if linker == "python" else mode_of(linker)
    train, validate = sgd(m, mode, batch_size=20)
    assert (fused_operations(train), fused_operations(validate)) == (LOSS, ERRORS)

    x, y, *_ = m.values
    W, b = m.W_value.astype("float64"), m.b_value.astype("float64")
    for i in (0, 1, 2, 0, 1):
        batch = slice(i * 20, (i + 1) * 20)
        cost, gW, gb = reference.cost_and_gradients(W, b, x[batch], y[batch])
        W, b = W - 0.5 * gW, b - 0.5 * gb
        np.testing.assert_allclose(train(i), cost, rtol=1e-5)
        assert_close(m.W.get_value(), W, "float32")
        assert_close(m.b.get_value(), b, "float32")
        assert validate(i) == reference.error(W, b, x[batch], y[batch])


@pytest.mark.parametrize("linker", ["python", "c"])
def test_conjugate_gradient_on_slices_of_shared_data(linker):
    m = model("float64", logistic_cg)
    x, y = pytensor.shared(m.values[0]), pytensor.shared(m.values[1])
    index = pt.lscalar("index")
    batch = slice(index * 20, (index + 1) * 20)
    function = compiled(
        [index],
        with_gradients(m, m.cost),
        givens={m.x: x[batch], m.y: y[batch]},
        mode=FUSED if linker == "python" else mode_of(linker),
    )
    assert fused_operations(function) == LOSS
    for i in range(3):
        x, y = (value[i * 20 : (i + 1) * 20] for value in m.values[:2])
        cost, gW, gb = reference.cost_and_gradients(m.W_value, m.b_value, x, y)
        found_cost, gradient = function(i)
        np.testing.assert_allclose(found_cost, cost, rtol=1e-12)
        assert_close(gradient, np.append(gW, gb), "float64")


def test_parameters_may_be_given():
    m = model()
    W, b = (pt.tensor(dtype="float64", shape=s) for s in ((N_IN, N_OUT), (N_OUT,)))
    fused, plain = both(
        [m.x, m.y, W, b], with_gradients(m, m.cost), givens={m.W: W, m.b: b}
    )
    assert fused_operations(fused) == LOSS
    values = *m.values[:2], 2 * m.W_value, m.b_value
    for found, truth in zip(fused(*values), plain(*values), strict=True):
        assert_close(found, truth, "float64")


def fixed_layer(m):
    """The loss on tanh(x V), of which V is not trained."""
    V = np.random.default_rng(1).normal(size=(N_IN, N_IN))
    return with_gradients(m, nll(m, softmax_of(pt.tanh(m.x @ V), m.W, m.b)))


def tied_weights(m):
    V = pytensor.shared(m.W_value.T.copy(), shape=(N_OUT, N_IN))
    cost = nll(m, softmax_of(m.x, V.T, m.b))
    return [cost, *grad(cost, [V, m.b])]


def softmax_of(x, W, b, axis=1):
    return pt.special.softmax(pt.dot(x, W) + b, axis=axis)


def nll(m, p, y=None, rows=None):
    y = m.y if y is None else y
    return -pt.mean(pt.log(p)[pt.arange(y.shape[0]) if rows is None else rows, y])


FUSED_LOSSES = {
    "with weight decay": lambda m: with_gradients(m, m.cost + 0.1 * (m.W**2).sum()),
    "not negated": lambda m: [-m.cost, *grad(m.cost, m.params)],
    "log softmax": lambda m: with_gradients(
        m, -pt.special.log_softmax(m.z, axis=1)[m.rows, m.y].mean()
    ),
    "gradients alone": lambda m: grad(m.cost, m.params),
    "gradient by W alone": lambda m: [m.cost, grad(m.cost, m.W)],
    "gradient by b alone": lambda m: [m.cost, grad(m.cost, m.b)],
    "bias first": lambda m: with_gradients(
        m, nll(m, pt.special.softmax(m.b + pt.dot(m.x, m.W), axis=1))
    ),
    "fixed layer below": fixed_layer,
    "tied weights": tied_weights,
}


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


def weights_as_pixels(m):
    cost = nll(m, softmax_of(m.W.T, m.W[:N_IN], m.b), m.y[:N_OUT])
    return [cost, *grad(cost, m.params)]


SIMILAR_LOSSES = {
    "three times": lambda m: with_gradients(m, 3 * m.cost),
    "gradients of three times": lambda m: [m.cost, *grad(3 * m.cost, m.params)],
    "maximised": lambda m: with_gradients(m, -m.cost),
    "sum over length": lambda m: with_gradients(
        m, -pt.log(m.p)[m.rows, m.y].sum() / m.y.shape[0]
    ),
    "mean over length": lambda m: with_gradients(m, m.cost / m.y.shape[0]),
    "one label": lambda m: with_gradients(
        m, nll(m, m.p, labels_of_a_static_length_one(m))
    ),
    "constant labels": lambda m: with_gradients(
        m, nll(m, m.p, pt.constant(m.values[1]))
    ),
    "one example": lambda m: with_gradients(
        m, nll(m, softmax_of(m.x[:1], m.W, m.b), m.y[:1])
    ),
    "integer pixels": lambda m: with_gradients(
        m, nll(m, softmax_of((m.x * 255).astype("uint8"), m.W, m.b))
    ),
    "two models": lambda m: with_gradients(
        m, m.cost + nll(m, softmax_of(m.x[:, ::-1], m.W, m.b))
    ),
    "weights as pixels": weights_as_pixels,
}


@pytest.mark.parametrize("case", SIMILAR_LOSSES)
def test_similar_loss_keeps_its_value(case):
    m = model()
    assert_fused(m, SIMILAR_LOSSES[case](m), EITHER)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint32"])
def test_labels_of_any_integer_type_are_fused(dtype):
    m = model(label_dtype=dtype)
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_errors_are_fused_with_the_labels_first():
    m = model()
    outputs = [pt.mean(pt.neq(m.y, m.classifier.y_pred))]
    assert_fused(m, outputs, ERRORS)


def test_loss_and_errors_in_one_function_stay_plain():
    """They share the softmax, which is then computed once for both."""
    m = model()
    assert_fused(m, [*with_gradients(m, m.cost), m.errors], [])


def other_classifier(m, W_shape, b_shape=(None,), dtype="float64"):
    W, b = (
        pt.tensor("W", dtype=dtype, shape=W_shape),
        pt.tensor(dtype=dtype, shape=b_shape),
    )
    m.inputs[2:] = [W, b]
    m.values[2:] = [m.W_value.astype(dtype), m.b_value.astype(dtype)]
    m.params = [W, b]
    return with_gradients(m, nll(m, softmax_of(m.x.astype(dtype), W, b)))


def lower_precision(m):
    W = pytensor.shared(m.W_value.astype("float32"), shape=m.W_value.shape)
    m.params = [W, m.b]
    return with_gradients(m, nll(m, softmax_of(m.x, W, m.b)))


def bias_of_each_example(m):
    B = pytensor.shared(np.random.default_rng(2).normal(size=(N, N_OUT)))
    m.params = [m.W, B]
    return with_gradients(m, nll(m, softmax_of(m.x, m.W, B)))


def labels_of_a_static_length_one(m):
    y = pt.tensor("y", dtype="int32", shape=(1,))
    m.inputs[1], m.values[1] = y, m.values[1][:1]
    return y


def trained_layer_below(m):
    V = pytensor.shared(np.random.default_rng(1).normal(size=(N_IN, N_IN)))
    cost = nll(m, softmax_of(pt.tanh(pt.dot(m.x, V)), m.W, m.b))
    return [cost, *grad(cost, [V, *m.params])]


def gradient_by_logits(m):
    cost = nll(m, pt.special.softmax(m.z, axis=1))
    return [cost, *grad(cost, [m.W, m.b, m.z])]


PLAIN_LOSSES = {
    "loss alone": lambda m: [m.cost],
    "labels of another vector": lambda m: with_gradients(
        m, nll(m, m.p, m.other, m.rows)
    ),
    "rows of another vector": lambda m: with_gradients(
        m, nll(m, m.p, m.y, pt.arange(m.other.shape[0]))
    ),
    "over the length of another vector": lambda m: with_gradients(
        m, -pt.log(m.p)[m.rows, m.y].sum() / m.other.shape[0]
    ),
    "over the number of classes": lambda m: with_gradients(
        m, -pt.log(m.p)[m.rows, m.y].sum() / m.b.shape[0]
    ),
    "over a length cast to int8": lambda m: with_gradients(
        m, -pt.log(m.p)[m.rows, m.y].sum() / m.y.shape[0].astype("int8")
    ),
    "sum": lambda m: with_gradients(m, -pt.log(m.p)[m.rows, m.y].sum()),
    "largest": lambda m: with_gradients(m, -pt.log(m.p)[m.rows, m.y].min()),
    "softmax over the examples": lambda m: with_gradients(
        m, nll(m, softmax_of(m.x, m.W, m.b, axis=0))
    ),
    "softmax over all": lambda m: with_gradients(
        m, nll(m, softmax_of(m.x, m.W, m.b, axis=None))
    ),
    "softmax of halved logits": lambda m: with_gradients(
        m, nll(m, pt.special.softmax(m.z / 2, axis=1))
    ),
    "probabilities given out": lambda m: [*with_gradients(m, m.cost), m.p],
    "probabilities used": lambda m: with_gradients(m, m.cost + (m.p**2).sum()),
    "logits given out": lambda m: [*with_gradients(m, m.cost), m.z],
    "products used": lambda m: [*with_gradients(m, m.cost), pt.dot(m.x, m.W).max()],
    "losses of examples given out": lambda m: [
        *with_gradients(m, m.cost),
        pt.log(m.p)[m.rows, m.y],
    ],
    "gradient by x": lambda m: [m.cost, *grad(m.cost, [m.x, *m.params])],
    "trained layer below": trained_layer_below,
    "log of p plus a number": lambda m: with_gradients(m, nll(m, m.p + 1e-3)),
    "log to base 2": lambda m: with_gradients(m, -pt.log2(m.p)[m.rows, m.y].mean()),
    "weighted examples": lambda m: with_gradients(
        m, -(m.weights * pt.log(m.p)[m.rows, m.y]).mean()
    ),
    "weighted classes": lambda m: with_gradients(
        m, -(pt.log(m.p) * pt.arange(1, N_OUT + 1))[m.rows, m.y].mean()
    ),
    "squared": lambda m: with_gradients(m, (pt.log(m.p)[m.rows, m.y] ** 2).mean()),
    "smoothed labels": lambda m: with_gradients(m, m.cost - 0.1 * pt.log(m.p).mean()),
    "labels of two vectors": lambda m: with_gradients(m, m.cost + nll(m, m.p, m.other)),
    "rows from the second": lambda m: with_gradients(
        m, -pt.log(m.p)[pt.arange(1, m.y.shape[0]), m.y[1:]].mean()
    ),
    "every other row": lambda m: with_gradients(
        m, -pt.log(m.p)[pt.arange(0, m.y.shape[0], 2), m.y[::2]].mean()
    ),
    "gradients of another loss": lambda m: [
        m.cost,
        *grad(nll(m, m.p, m.other, m.rows), m.params),
    ],
    "loss of other labels": lambda m: [
        nll(m, m.p, m.other, m.rows),
        *grad(m.cost, m.params),
    ],
    "loss over another length": lambda m: [
        -pt.log(m.p)[m.rows, m.y].sum() / m.other.shape[0],
        *grad(m.cost, m.params),
    ],
    "gradients alone, labels of another vector": lambda m: grad(
        nll(m, m.p, m.other, m.rows), m.params
    ),
    "gradients alone, every other row": lambda m: grad(
        nll(m, m.p, m.y[::2], pt.arange(0, m.y.shape[0], 2)), m.params
    ),
    "gradient by the logits": gradient_by_logits,
    "rows backwards": lambda m: with_gradients(m, nll(m, m.p, rows=m.rows[::-1])),
    "labels plus one, modulo": lambda m: with_gradients(
        m, nll(m, m.p, (m.y + 1) % N_OUT, m.rows)
    ),
    "transposed": lambda m: with_gradients(m, -pt.log(m.p.T)[m.y, m.rows].mean()),
    "no bias": lambda m: [
        nll(m, pt.special.softmax(pt.dot(m.x, m.W), axis=1)),
        grad(nll(m, pt.special.softmax(pt.dot(m.x, m.W), axis=1)), m.W),
    ],
    "bias of each example": bias_of_each_example,
    "a third term": lambda m: with_gradients(
        m, nll(m, pt.special.softmax(m.z + m.x[:, :N_OUT], axis=1))
    ),
    "unknown shape of W": lambda m: other_classifier(m, (None, None)),
    "unknown n_in": lambda m: other_classifier(m, (None, N_OUT), (N_OUT,)),
    "unknown n_out": lambda m: other_classifier(m, (N_IN, None), (N_OUT,)),
    "half precision": lambda m: other_classifier(
        m, (N_IN, N_OUT), (N_OUT,), dtype="float16"
    ),
    "W of lower precision": lower_precision,
}


@pytest.mark.parametrize("case", PLAIN_LOSSES)
def test_near_miss_of_the_loss_stays_plain(case):
    m = model()
    assert_fused(m, PLAIN_LOSSES[case](m), [])


@pytest.mark.parametrize("start, step", [(1, 1), (-1, 1), (0, 2), (0, -1)])
def test_rows_that_are_not_those_of_the_labels_stay_plain(start, step):
    m = model()
    cost = nll(m, m.p, rows=pt.arange(start, m.y.shape[0], step))
    for outputs in (with_gradients(m, cost), grad(cost, m.params)):
        fused, _ = both([m.x, m.y], outputs)
        assert fused_operations(fused) == []


def errors_of(m, p, y):
    return pt.neq(pt.argmax(p, axis=1), y).mean()


def one_static_row(m):
    """The prediction of one example against many labels."""
    x = pt.tensor("x", dtype="float64", shape=(1, N_IN))
    m.inputs[0], m.values[0] = x, m.values[0][:1]
    return errors_of(m, softmax_of(x, m.W, m.b), m.y)


PLAIN_ERRORS = {
    "number": lambda m: pt.neq(m.classifier.y_pred, m.y).sum(),
    "accuracy": lambda m: pt.eq(m.classifier.y_pred, m.y).mean(),
    "least probable": lambda m: pt.neq(pt.argmin(m.p, axis=1), m.y).mean(),
    "example most sure of a class": lambda m: pt.neq(
        pt.argmax(m.p, axis=0), m.y[:N_OUT]
    ).mean(),
    "most probable of all": lambda m: pt.neq(pt.argmax(m.p), m.y).mean(),
    "softmax over the examples": lambda m: errors_of(
        m, softmax_of(m.x, m.W, m.b, axis=0), m.y
    ),
    "over another length": lambda m: (
        pt.neq(m.classifier.y_pred, m.y).sum() / m.other.shape[0]
    ),
    "of either vector": lambda m: pt.or_(
        pt.neq(m.classifier.y_pred, m.y), pt.neq(m.classifier.y_pred, m.other)
    ).mean(),
    "weighted": lambda m: (m.weights * pt.neq(m.classifier.y_pred, m.y)).mean(),
    "each": lambda m: pt.neq(m.classifier.y_pred, m.y),
    "real labels": lambda m: errors_of(m, m.p, m.weights),
    "column of labels": lambda m: errors_of(m, m.p, m.y[:, None]),
    "one label": lambda m: errors_of(m, m.p, labels_of_a_static_length_one(m)),
    "one example": one_static_row,
}


@pytest.mark.parametrize("case", PLAIN_ERRORS)
def test_near_miss_of_errors_stays_plain(case):
    m = model()
    assert_fused(m, [PLAIN_ERRORS[case](m)], [])


@pytest.mark.parametrize("given_out", ["y_pred", "p_y_given_x"])
def test_errors_beside_predictions_stay_plain(given_out):
    m = model()
    assert_fused(m, [m.errors, getattr(m.classifier, given_out)], [])


@pytest.mark.parametrize(
    "n_in, n_out, expected",
    [
        (2, 2, True),
        (784, 10, True),
        (MOST_WEIGHTS // 16, 16, True),
        (MOST_WEIGHTS // 16 + 1, 16, False),
        (2, MOST_WEIGHTS // 2 + 1, False),
    ],
)
def test_size_decides(n_in, n_out, expected):
    m = model()
    W = pt.tensor("W", dtype="float64", shape=(n_in, n_out))
    b = pt.tensor("b", dtype="float64", shape=(n_out,))
    p = softmax_of(m.x, W, b)
    for outputs, op in (
        ([nll(m, p), *grad(nll(m, p), [W, b])], LOSS),
        ([errors_of(m, p, m.y)], ERRORS),
    ):
        fused, _ = both([m.x, m.y, W, b], outputs)
        assert fused_operations(fused) == (op if expected else [])


def special_values(m):
    """Problems whose logits are large or not finite, with their names."""
    x, y, *_ = m.values
    for number in (np.nan, np.inf, -np.inf):
        for spoiled in ("a pixel", "an example", "a bias", "a weight"):
            X, W, b = x.copy(), m.W_value.copy(), m.b_value.copy()
            if spoiled == "a pixel":
                X[3, 2] = number
            elif spoiled == "an example":
                X[50] = number
            elif spoiled == "a bias":
                b[1] = number
            else:
                W[4, 3] = number
            yield f"{spoiled}: {number}", X, W, b, y
    yield "a thousand", x, 1000 * np.sign(m.W_value), m.b_value, y
    yield "overflow", x, 1e300 * np.sign(m.W_value).astype("float64"), m.b_value, y
    yield "no examples", x[:0], m.W_value, m.b_value, y[:0]


@pytest.mark.parametrize(
    "linker, dtype", [("python", "float64"), ("python", "float32"), ("c", "float32")]
)
def test_special_values_pass_through_as_in_the_plain_graph(linker, dtype):
    m = model(dtype)
    shapes = ((None, N_IN), (N_IN, N_OUT), (N_OUT,))
    x, W, b = (pt.tensor(dtype=dtype, shape=shape) for shape in shapes)
    p = softmax_of(x, W, b)
    modes = FUSED if linker == "python" else mode_of(linker), PLAIN
    for outputs, op in (
        ([nll(m, p), *grad(nll(m, p), [W, b])], LOSS),
        ([errors_of(m, p, m.y)], ERRORS),
    ):
        fused, plain = (compiled([x, W, b, m.y], outputs, mode=mode) for mode in modes)
        assert fused_operations(fused) == op
        for name, *values, y in special_values(m):
            with np.errstate(all="ignore"):
                values = [v.astype(dtype) for v in values]
                found, truth = fused(*values, y), plain(*values, y)
            for a, b_ in zip(found, truth, strict=True):
                np.testing.assert_array_equal(np.isnan(a), np.isnan(b_), name)
                assert_close(a, b_, b_.dtype.name)


@pytest.mark.parametrize("mode", [FUSED, PLAIN], ids=["fused", "plain"])
def test_labels_out_of_range_raise_as_in_the_plain_graph(mode):
    m = model()
    function = compiled([m.x, m.y], with_gradients(m, m.cost), mode=mode)
    x, y, *_ = m.values
    for label in (N_OUT, -N_OUT - 1):
        y[-1] = label
        with pytest.raises(IndexError, match="out of bounds"):
            function(x, y)


def test_negative_labels_count_from_the_end_as_in_the_plain_graph():
    m = model()
    m.values[1] -= N_OUT
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_fewer_labels_than_examples_as_in_the_plain_graph():
    m = model()
    m.values[1] = m.values[1][:40]
    assert_fused(m, with_gradients(m, m.cost), LOSS)


@pytest.mark.parametrize("mode", [FUSED, PLAIN], ids=["fused", "plain"])
def test_lengths_that_do_not_fit_raise_as_in_the_plain_graph(mode):
    m = model()
    x, y, *_ = m.values
    cost = compiled([m.x, m.y], with_gradients(m, m.cost), mode=mode)
    with pytest.raises(IndexError):
        cost(x[:40], y)
    errors = compiled([m.x, m.y], m.errors, mode=mode)
    for values in ((x[:40], y), (x, y[:40])):
        with pytest.raises((ValueError, AssertionError)):
            errors(*values)


def test_hidden_layer_trains_through_the_operation():
    """What the Op's gradient by its input gives is what backpropagation gives."""
    m = model()
    V = pytensor.shared(np.random.default_rng(1).normal(size=(N_IN, N_IN)))
    hidden = pt.tanh(pt.dot(m.x, V))
    params = [V, m.W, m.b]
    by_hand = softmax_regression_loss(hidden, m.W, m.b, m.y)[0]
    written = nll(m, softmax_of(hidden, m.W, m.b))
    function, plain = (
        compiled([m.x, m.y], [cost, *grad(cost, params)], mode=mode)
        for cost, mode in ((by_hand, FUSED), (written, PLAIN))
    )
    x, y, *_ = m.values
    for found, truth in zip(function(x, y), plain(x, y), strict=True):
        assert_close(found, truth, "float64")
