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
    ROWS,
    TOLERANCES,
    Model,
    N,
    assert_derivative,
    assert_fused,
    assert_graph,
    assert_sgd_is_fused,
    assert_special_values_pass_through,
    both,
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
    "not negated": lambda m: [-m.cost, *grad(m.cost, m.params)],
    "gradient by W alone": lambda m: [m.cost, grad(m.cost, m.W)],
    "tied weights": tied_weights,
    "examples in another order": in_another_order,
}


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = Model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


# Costs in other forms, and their values for the mean loss of N examples and for W.
FORMS = {
    "mean of negatives": (lambda m: (-m.picked).mean(), lambda loss, W: loss),
    "sum over length": (lambda m: -m.picked.sum() / m.y.shape[0], lambda loss, W: loss),
    "sum": (lambda m: -m.picked.sum(), lambda loss, W: N * loss),
    "over a number": (lambda m: -m.picked.sum() / 20, lambda loss, W: N / 20 * loss),
    "over a number of inputs": (
        lambda m: -m.picked.sum() / m.other.shape[0],
        lambda loss, W: loss,
    ),
    "three times": (lambda m: 3 * m.cost, lambda loss, W: 3 * loss),
    "a third": (lambda m: m.cost / 3, lambda loss, W: loss / 3),
    "maximised": (lambda m: -m.cost, lambda loss, W: -loss),
    "scaled before the mean": (
        lambda m: (m.picked / -m.other.shape[0].astype(m.x.dtype)).mean(),
        lambda loss, W: loss / N,
    ),
    "log of picked": (lambda m: -pt.log(m.p[m.rows, m.y]).mean(), lambda loss, W: loss),
    "sum of log of picked": (
        lambda m: -pt.log(m.p[m.rows, m.y]).sum(),
        lambda loss, W: N * loss,
    ),
    "squared": (lambda m: m.cost**2, lambda loss, W: loss**2),
    "with L1 and L2": (
        lambda m: 2 * m.cost + 0.3 * abs(m.W).sum() + 0.1 * (m.W**2).sum(),
        lambda loss, W: 2 * loss + 0.3 * np.abs(W).sum() + 0.1 * (W**2).sum(),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_loss_in_another_form_is_fused(form):
    m, (write, truth) = Model(), FORMS[form]
    fused = compiled(m.inputs, m.with_gradients(write(m)), FUSED)
    assert fused_operations(fused) == LOSS

    def cost(W, b):
        return truth(reference.cost_and_gradients(W, b, *m.values[:2])[0], W)

    values = m.W_value, m.b_value
    found, *gradients = fused(*m.values)
    np.testing.assert_allclose(found, cost(*values), rtol=1e-12)
    for i, gradient in enumerate(gradients):
        assert_derivative(gradient, cost, values, i)


def logits_differentiated(m):
    cost = m.loss(pt.special.softmax(m.z, axis=1))
    return [cost, *grad(cost, [m.W, m.b, m.z])]


# What else a function gives that trains.
BESIDE = {
    "errors": lambda m: [*m.with_gradients(m.cost), m.errors],
    "predictions": lambda m: [*m.with_gradients(2 * m.cost), m.classifier.y_pred],
    "probabilities": lambda m: [*m.with_gradients(m.cost), m.p],
    "certainty": lambda m: [*m.with_gradients(m.cost), m.p.max(axis=1).mean()],
    "gradient by x": lambda m: grad(-m.picked.sum(), [m.x, *m.params]),
    "gradient by the logits": logits_differentiated,
}


@pytest.mark.parametrize("case", BESIDE)
def test_loss_beside_another_use_of_its_rows_is_fused(case):
    m = Model()
    assert_fused(m, BESIDE[case](m), ROWS)


@pytest.mark.parametrize("n_labels", [40, 0])
def test_fewer_labels_than_examples_as_in_the_plain_graph(n_labels):
    m = Model()
    m.values[1] = m.values[1][:n_labels]
    outputs = [*grad(-2 * m.cost, [m.x, *m.params]), m.p, m.classifier.y_pred]
    for i, pair in enumerate(both(m, [m.cost, m.picked.sum(), *outputs], ROWS)):
        np.testing.assert_allclose(*pair, rtol=1e-12, err_msg=i)


def test_layer_below_is_trained_by_the_residual():
    """As the tutorials write it: W and b without static shape, L2, errors beside."""
    m = Model()
    U = np.random.default_rng(1).normal(size=(N_IN, N_IN))
    values = [U, np.zeros(N_IN), m.W_value, m.b_value]
    m.params = [pytensor.shared(value, borrow=True) for value in values]
    U, a, W, b = m.params
    p = softmax_of(pt.tanh(pt.dot(m.x, U) + a), W, b)
    outputs = m.with_gradients(m.loss(p) + 0.01 * (U**2).sum() + 0.02 * abs(W).sum())
    fused = compiled(m.inputs, [*outputs, errors_of(p, m.y)], FUSED)
    assert fused_operations(fused) == ROWS

    def cost(U, a, W, b):
        hidden = np.tanh(m.values[0] @ U + a)
        loss, *_ = reference.cost_and_gradients(W, b, hidden, m.values[1])
        return loss + 0.01 * (U**2).sum() + 0.02 * np.abs(W).sum()

    found, *gradients, errors = fused(*m.values)
    np.testing.assert_allclose(found, cost(*values), rtol=1e-12)
    for i, gradient in enumerate(gradients):
        assert_derivative(gradient, cost, values, i)
    hidden = np.tanh(m.values[0] @ values[0])
    assert errors == reference.error(*values[2:], hidden, m.values[1])


def test_labels_of_another_integer_type_are_fused():
    m = Model(label_dtype="uint8")
    assert_fused(m, m.with_gradients(m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


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


def labels_that_are_predictions(m):
    return m.with_gradients(m.loss(m.p, pt.argmax(m.p, axis=1)))


def broadcast_bias(m):
    W = pt.tensor("W", dtype="float64", shape=(None, None))
    b = pt.tensor("b", dtype="float64", shape=(1,))
    m.inputs[2:], m.params = [W, b], [W, b]
    m.values[2:] = [m.W_value, m.b_value[:1]]
    return m.with_gradients(m.loss(softmax_of(m.x, W, b)))


# Costs, compiled with their gradients.
PLAIN_COSTS = {
    "labels of another vector": lambda m: m.loss(m.p, m.other, m.rows),
    "rows of another vector": lambda m: m.loss(m.p, rows=pt.arange(m.other.shape[0])),
    "rows from the second": lambda m: (
        -pt.log(m.p)[pt.arange(1, m.y.shape[0]), m.y[1:]].mean()
    ),
    "weighted examples": lambda m: -(m.weights * m.picked).mean(),
    "weighted log of picked": lambda m: -(m.weights * pt.log(m.p[m.rows, m.y])).mean(),
    "picked without a logarithm": lambda m: -m.p[m.rows, m.y].mean(),
    "squared losses": lambda m: (m.picked**2).mean(),
    "largest loss": lambda m: -m.picked.min(),
    "two label vectors": lambda m: m.cost + m.loss(m.p, m.other, m.rows),
    "smoothed labels": lambda m: m.cost - 0.1 * pt.log(m.p).mean(),
    "softmax over the examples": lambda m: m.loss(softmax_of(m.x, m.W, m.b, axis=0)),
    "softmax of halved logits": lambda m: m.loss(pt.special.softmax(m.z / 2, axis=1)),
    "log of p plus a number": lambda m: m.loss(m.p + 1e-3),
    "probabilities used": lambda m: m.cost + (m.p**2).sum(),
}
PLAIN_LOSSES = {
    "loss alone": lambda m: [m.cost],
    "logits given out": lambda m: [*m.with_gradients(m.cost), m.z],
    "logarithms given out": lambda m: [*m.with_gradients(m.cost), pt.log(m.p)],
    "products used": lambda m: [*m.with_gradients(m.cost), pt.dot(m.x, m.W).max()],
    "losses of examples given out": lambda m: [*m.with_gradients(m.cost), m.picked],
    "gradient by x alone": lambda m: [m.cost, grad(m.cost, m.x)],
    "gradients of another loss": lambda m: [
        m.cost,
        *grad(m.loss(m.p, m.other, m.rows), m.params),
    ],
    "no bias": no_bias,
    "bias of each example": bias_of_each_example,
    "labels that are predictions": labels_that_are_predictions,
    "broadcast bias": broadcast_bias,
    "W of lower precision": lower_precision,
} | gradients_of(PLAIN_COSTS)


@pytest.mark.parametrize("case", PLAIN_LOSSES)
def test_near_miss_of_the_loss_stays_plain(case):
    m = Model()
    assert_graph(m, PLAIN_LOSSES[case](m), [])


def test_mean_in_higher_precision_than_the_parameters_stays_plain():
    m = Model("float32")
    assert_graph(m, m.with_gradients(-m.picked.mean(dtype="float64")), [])


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


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(
    "n_in, n_out, fused", [(4096, 16, True), (4097, 16, False), (2, 2**15 + 1, False)]
)
def test_size_decides(static, n_in, n_out, fused):
    """That of the type, or of a shared variable's value."""
    m = Model()
    if static:
        W = pt.tensor("W", dtype="float64", shape=(n_in, n_out))
        b = pt.tensor("b", dtype="float64", shape=(n_out,))
        m.inputs += [W, b]
    else:
        W, b = map(pytensor.shared, (np.zeros((n_in, n_out)), np.zeros(n_out)))
    m.params, p = [W, b], softmax_of(m.x, W, b)
    assert_graph(m, m.with_gradients(m.loss(p)), LOSS if fused else [])
    assert_graph(m, [errors_of(p, m.y)], ERRORS if fused else [])


def test_special_values_pass_through_as_in_the_plain_graph():
    assert_special_values_pass_through(FUSED, "float64")
