"""Which graphs the fused operations replace, and which only look alike.

Near misses have only their graphs looked at here; the long tests compare their results.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from fused import (
    ERRORS,
    FUSED,
    LOSS,
    N_IN,
    N_OUT,
    TOLERANCES,
    Model,
    N,
    assert_fused,
    assert_graph,
    assert_sgd_is_fused,
    assert_special_values_pass_through,
    compiled,
    errors_of,
    fused_operations,
    gradients_of,
    mode_of,
    softmax_of,
)
from pytensor import grad
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph

import logistic_cg

# PyTensor's own, in the Python code of its Invert.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")
each_precision = pytest.mark.parametrize("dtype", TOLERANCES)


@pytest.fixture(autouse=True)
def constants_fold_uncompiled():
    with pytensor.config.change_flags(linker="py"):
        yield


@each_precision
def test_loss_and_gradients_become_one_operation(dtype):
    m = Model(dtype)
    fused = compiled([m.x, m.y], m.with_gradients(m.cost), FUSED)
    (node,) = fused.maker.fgraph.toposort()
    assert fused_operations(fused) == LOSS
    assert {str(v) for v in node.inputs} == {"x", "W", "b", "y"}

    x, y, *_ = m.values
    truth = reference.cost_and_gradients(m.W_value, m.b_value, x, y)
    for found, value in zip(fused(x, y), truth, strict=True):
        np.testing.assert_allclose(found, value, atol=TOLERANCES[dtype])


@each_precision
def test_errors_become_one_operation(dtype):
    m = Model(dtype)
    fused = compiled([m.x, m.y], m.errors, FUSED)
    assert len(fused.maker.fgraph.toposort()) == 1
    assert fused_operations(fused) == ERRORS
    x, y, *_ = m.values
    assert fused(x, y) == reference.error(m.W_value, m.b_value, x, y)


def test_flat_theta_gets_cost_and_gradient_from_one_operation():
    m = Model("float64", logistic_cg)
    assert_fused(m, m.with_gradients(m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


@pytest.mark.parametrize("linker", ["c", "cvm", "numba"])
def test_linkers_with_the_operations_get_them(linker):
    m = Model("float32")
    for outputs, expected in ((m.with_gradients(m.cost), LOSS), ([m.errors], ERRORS)):
        fgraph = FunctionGraph(outputs=outputs, clone=True)
        with pytensor.config.change_flags(on_opt_error="raise"):
            mode_of(linker).excluding("inplace").optimizer.rewrite(fgraph)
        ops = [type(node.op) for node in fgraph.apply_nodes]
        assert [op for op in ops if op in LOSS + ERRORS] == expected


@pytest.mark.parametrize(
    "mode",
    [
        FUSED.excluding("softmax_regression"),
        FUSED.excluding("fusion"),
        Mode("py", "fast_run"),
        Mode("py", "fast_compile"),
    ],
    ids=["without the tag", "without fusion", "Python", "Python in haste"],
)
def test_other_modes_keep_the_plain_graph(mode):
    m = Model()
    function = compiled([m.x, m.y], [*m.with_gradients(m.cost), m.errors], mode)
    assert fused_operations(function) == []


def test_sgd_on_slices_of_shared_data():
    assert_sgd_is_fused(FUSED)


def tied_weights(m):
    V = pytensor.shared(m.W_value.T.copy(), shape=m.W_value.T.shape)
    m.params = [V, m.b]
    return m.with_gradients(m.loss(softmax_of(m.x, V.T, m.b)))


def in_another_order(m):
    x, y = m.x[m.other], m.y[m.other]
    return m.with_gradients(m.loss(softmax_of(x, m.W, m.b), y))


FUSED_LOSSES = {
    "with weight decay": lambda m: m.with_gradients(m.cost + 0.1 * (m.W**2).sum()),
    "not negated": lambda m: [-m.cost, *grad(m.cost, m.params)],
    "gradient by W alone": lambda m: [m.cost, grad(m.cost, m.W)],
    "tied weights": tied_weights,
    "examples in another order": in_another_order,
}


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = Model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


def test_labels_of_another_integer_type_are_fused():
    m = Model(label_dtype="uint8")
    assert_fused(m, m.with_gradients(m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_fewer_labels_than_examples_as_in_the_plain_graph():
    m = Model()
    m.values[1] = m.values[1][:40]
    assert_fused(m, m.with_gradients(m.cost), LOSS)


def no_bias(m):
    cost = m.loss(pt.special.softmax(pt.dot(m.x, m.W), axis=1))
    return [cost, grad(cost, m.W)]


def bias_of_each_example(m):
    B = pytensor.shared(np.random.default_rng(2).normal(size=(N, N_OUT)))
    m.params = [m.W, B]
    return m.with_gradients(m.loss(softmax_of(m.x, m.W, B)))


def lower_precision(m):
    W = pytensor.shared(m.W_value.astype("float32"), shape=m.W_value.shape)
    m.params = [W, m.b]
    return m.with_gradients(m.loss(softmax_of(m.x, W, m.b)))


def unknown_n_in(m):
    W = pt.tensor(dtype="float64", shape=(None, N_OUT))
    m.inputs[2], m.values[2], m.params = W, m.W_value, [W, m.b]
    return m.with_gradients(m.loss(softmax_of(m.x, W, m.b)))


def gradient_by_logits(m):
    cost = m.loss(pt.special.softmax(m.z, axis=1))
    return [cost, *grad(cost, [m.W, m.b, m.z])]


# Costs, compiled with their gradients.
PLAIN_COSTS = {
    "labels of another vector": lambda m: m.loss(m.p, m.other, m.rows),
    "rows of another vector": lambda m: m.loss(m.p, rows=pt.arange(m.other.shape[0])),
    "rows from the second": lambda m: (
        -pt.log(m.p)[pt.arange(1, m.y.shape[0]), m.y[1:]].mean()
    ),
    "over the length of another vector": lambda m: -m.picked.sum() / m.other.shape[0],
    "over a length cast to int8": lambda m: (
        -m.picked.sum() / m.y.shape[0].astype("int8")
    ),
    "sum": lambda m: -m.picked.sum(),
    "weighted examples": lambda m: -(m.weights * m.picked).mean(),
    "smoothed labels": lambda m: m.cost - 0.1 * pt.log(m.p).mean(),
    "softmax over the examples": lambda m: m.loss(softmax_of(m.x, m.W, m.b, axis=0)),
    "softmax of halved logits": lambda m: m.loss(pt.special.softmax(m.z / 2, axis=1)),
    "log of p plus a number": lambda m: m.loss(m.p + 1e-3),
    "probabilities used": lambda m: m.cost + (m.p**2).sum(),
}
PLAIN_LOSSES = {
    "loss alone": lambda m: [m.cost],
    "logits given out": lambda m: [*m.with_gradients(m.cost), m.z],
    "probabilities given out": lambda m: [*m.with_gradients(m.cost), m.p],
    "products used": lambda m: [*m.with_gradients(m.cost), pt.dot(m.x, m.W).max()],
    "losses of examples given out": lambda m: [*m.with_gradients(m.cost), m.picked],
    "gradient by x": lambda m: [m.cost, *grad(m.cost, [m.x, *m.params])],
    "gradient by the logits": gradient_by_logits,
    "gradients of another loss": lambda m: [
        m.cost,
        *grad(m.loss(m.p, m.other, m.rows), m.params),
    ],
    "no bias": no_bias,
    "bias of each example": bias_of_each_example,
    "unknown n_in": unknown_n_in,
    "W of lower precision": lower_precision,
} | gradients_of(PLAIN_COSTS)


@pytest.mark.parametrize("case", PLAIN_LOSSES)
def test_near_miss_of_the_loss_stays_plain(case):
    m = Model()
    assert_graph(m, PLAIN_LOSSES[case](m), [])


@pytest.mark.parametrize("start, step", [(1, 1), (-1, 1), (0, 2), (0, -1)])
def test_rows_that_are_not_those_of_the_labels_stay_plain(start, step):
    m = Model()
    cost = m.loss(m.p, rows=pt.arange(start, m.y.shape[0], step))
    assert_graph(m, m.with_gradients(cost), [])
    assert_graph(m, grad(cost, m.params), [])


def test_length_cast_to_a_narrow_type_is_that_number():
    """Of 200 labels int8 makes -56."""
    m = Model()
    x, y = np.resize(m.values[0], (200, N_IN)), np.resize(m.values[1], 200)
    cost = -(m.picked.sum() / m.y.shape[0].astype("int8"))
    found = compiled([m.x, m.y], m.with_gradients(cost), mode_of("c"))(x, y)
    truth = reference.cost_and_gradients(m.W_value, m.b_value, x, y)
    for value, mean in zip(found, truth, strict=True):
        np.testing.assert_allclose(value, mean * (200 / -56), 1e-9)


def test_loss_and_errors_in_one_function_stay_plain():
    """They share the softmax, which is then computed once for both."""
    m = Model()
    assert_fused(m, [*m.with_gradients(m.cost), m.errors], [])


def one_static_row(m):
    """The prediction of one example against many labels."""
    x = pt.tensor("x", dtype="float64", shape=(1, N_IN))
    m.inputs[0], m.values[0] = x, m.values[0][:1]
    return errors_of(softmax_of(x, m.W, m.b), m.y)


PLAIN_ERRORS = {
    "number": lambda m: pt.neq(m.classifier.y_pred, m.y).sum(),
    "accuracy": lambda m: pt.eq(m.classifier.y_pred, m.y).mean(),
    "least probable": lambda m: pt.neq(pt.argmin(m.p, axis=1), m.y).mean(),
    "example most sure of a class": lambda m: pt.neq(
        pt.argmax(m.p, axis=0), m.y[:N_OUT]
    ).mean(),
    "over another length": lambda m: (
        pt.neq(m.classifier.y_pred, m.y).sum() / m.other.shape[0]
    ),
    "weighted": lambda m: (m.weights * pt.neq(m.classifier.y_pred, m.y)).mean(),
    "each": lambda m: pt.neq(m.classifier.y_pred, m.y),
    "real labels": lambda m: errors_of(m.p, m.weights),
    "column of labels": lambda m: errors_of(m.p, m.y[:, None]),
    "one label": lambda m: errors_of(m.p, m.one_label()),
    "one example": one_static_row,
    "softmax over the examples": lambda m: errors_of(
        softmax_of(m.x, m.W, m.b, axis=0), m.y
    ),
}


@pytest.mark.parametrize("case", PLAIN_ERRORS)
def test_near_miss_of_errors_stays_plain(case):
    m = Model()
    assert_graph(m, [PLAIN_ERRORS[case](m)], [])


@pytest.mark.parametrize("beside", ["y_pred", "p_y_given_x"])
def test_errors_beside_predictions_stay_plain(beside):
    m = Model()
    assert_graph(m, [m.errors, getattr(m.classifier, beside)], [])


@pytest.mark.parametrize(
    "n_in, n_out, fused", [(4096, 16, True), (4097, 16, False), (2, 2**15 + 1, False)]
)
def test_size_decides(n_in, n_out, fused):
    m = Model()
    W = pt.tensor("W", dtype="float64", shape=(n_in, n_out))
    b = pt.tensor("b", dtype="float64", shape=(n_out,))
    m.inputs, m.params, p = [m.x, m.y, W, b], [W, b], softmax_of(m.x, W, b)
    assert_graph(m, m.with_gradients(m.loss(p)), LOSS if fused else [])
    assert_graph(m, [errors_of(p, m.y)], ERRORS if fused else [])


def test_special_values_pass_through_as_in_the_plain_graph():
    assert_special_values_pass_through(FUSED, "float64")
