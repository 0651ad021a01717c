"""Which graphs the fused operations replace, and which only look alike.

Near misses are here by kind, and only their graphs; the long tests have all of them,
with their results.
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
    N_OUT,
    TOLERANCES,
    N,
    assert_fused,
    assert_graph,
    assert_sgd_is_fused,
    assert_size_decides,
    assert_special_values_pass_through,
    compiled,
    errors_of,
    fused_operations,
    gradients_of,
    mode_of,
    model,
    nll,
    other_classifier,
    softmax_of,
    with_gradients,
)
from pytensor import grad
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph

import logistic_cg
from utils.backends.fusion.patterns import MOST_WEIGHTS

# PyTensor's own, in the Python code of its Invert.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")
each_precision = pytest.mark.parametrize("dtype", TOLERANCES)


@pytest.fixture(autouse=True)
def constants_fold_uncompiled():
    with pytensor.config.change_flags(linker="py"):
        yield


@each_precision
def test_loss_and_gradients_become_one_operation(dtype):
    m = model(dtype)
    fused = compiled([m.x, m.y], with_gradients(m, m.cost), FUSED)
    (node,) = fused.maker.fgraph.toposort()
    assert fused_operations(fused) == LOSS
    assert {str(v) for v in node.inputs} == {"x", "W", "b", "y"}

    x, y, *_ = m.values
    truth = reference.cost_and_gradients(m.W_value, m.b_value, x, y)
    for found, value in zip(fused(x, y), truth, strict=True):
        np.testing.assert_allclose(found, value, atol=TOLERANCES[dtype])


@each_precision
def test_errors_become_one_operation(dtype):
    m = model(dtype)
    fused = compiled([m.x, m.y], m.errors, FUSED)
    assert len(fused.maker.fgraph.toposort()) == 1
    assert fused_operations(fused) == ERRORS
    x, y, *_ = m.values
    assert fused(x, y) == reference.error(m.W_value, m.b_value, x, y)


def test_flat_theta_gets_cost_and_gradient_from_one_operation():
    m = model("float64", logistic_cg)
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


@pytest.mark.parametrize("linker", ["c", "cvm", "numba"])
def test_linkers_with_the_operations_get_them(linker):
    m = model("float32")
    for outputs, expected in ((with_gradients(m, m.cost), LOSS), ([m.errors], ERRORS)):
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
    m = model()
    function = compiled([m.x, m.y], [*with_gradients(m, m.cost), m.errors], mode)
    assert fused_operations(function) == []


def test_sgd_on_slices_of_shared_data():
    assert_sgd_is_fused(FUSED)


def tied_weights(m):
    V = pytensor.shared(m.W_value.T.copy(), shape=m.W_value.T.shape)
    cost = nll(m, softmax_of(m.x, V.T, m.b))
    return [cost, *grad(cost, [V, m.b])]


FUSED_LOSSES = {
    "with weight decay": lambda m: with_gradients(m, m.cost + 0.1 * (m.W**2).sum()),
    "not negated": lambda m: [-m.cost, *grad(m.cost, m.params)],
    "gradient by W alone": lambda m: [m.cost, grad(m.cost, m.W)],
    "tied weights": tied_weights,
}


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


def test_labels_of_another_integer_type_are_fused():
    m = model(label_dtype="uint8")
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_fewer_labels_than_examples_as_in_the_plain_graph():
    m = model()
    m.values[1] = m.values[1][:40]
    assert_fused(m, with_gradients(m, m.cost), LOSS)


def lower_precision(m):
    W = pytensor.shared(m.W_value.astype("float32"), shape=m.W_value.shape)
    m.params = [W, m.b]
    return with_gradients(m, nll(m, softmax_of(m.x, W, m.b)))


def no_bias(m):
    cost = nll(m, pt.special.softmax(pt.dot(m.x, m.W), axis=1))
    return [cost, grad(cost, m.W)]


def bias_of_each_example(m):
    B = pytensor.shared(np.random.default_rng(2).normal(size=(N, N_OUT)))
    m.params = [m.W, B]
    return with_gradients(m, nll(m, softmax_of(m.x, m.W, B)))


# Costs, compiled with their gradients.
PLAIN_COSTS = {
    "labels of another vector": lambda m: nll(m, m.p, m.other, m.rows),
    "rows of another vector": lambda m: nll(m, m.p, rows=pt.arange(m.other.shape[0])),
    "rows from the second": lambda m: (
        -pt.log(m.p)[pt.arange(1, m.y.shape[0]), m.y[1:]].mean()
    ),
    "over the length of another vector": lambda m: -m.picked.sum() / m.other.shape[0],
    "sum": lambda m: -m.picked.sum(),
    "weighted examples": lambda m: -(m.weights * m.picked).mean(),
    "softmax over the examples": lambda m: nll(m, softmax_of(m.x, m.W, m.b, axis=0)),
    "softmax of halved logits": lambda m: nll(m, pt.special.softmax(m.z / 2, axis=1)),
    "probabilities used": lambda m: m.cost + (m.p**2).sum(),
}
PLAIN_LOSSES = {
    "loss alone": lambda m: [m.cost],
    "logits given out": lambda m: [*with_gradients(m, m.cost), m.z],
    "gradient by x": lambda m: [m.cost, *grad(m.cost, [m.x, *m.params])],
    "gradients of another loss": lambda m: [
        m.cost,
        *grad(nll(m, m.p, m.other, m.rows), m.params),
    ],
    "no bias": no_bias,
    "bias of each example": bias_of_each_example,
    "unknown shape of W": lambda m: other_classifier(m, (None, None)),
    "W of lower precision": lower_precision,
} | gradients_of(PLAIN_COSTS)


@pytest.mark.parametrize("case", PLAIN_LOSSES)
def test_near_miss_of_the_loss_stays_plain(case):
    m = model()
    assert_graph(m, PLAIN_LOSSES[case](m), [])


def test_loss_and_errors_in_one_function_stay_plain():
    """They share the softmax, which is then computed once for both."""
    m = model()
    assert_fused(m, [*with_gradients(m, m.cost), m.errors], [])


PLAIN_ERRORS = {
    "number": lambda m: pt.neq(m.classifier.y_pred, m.y).sum(),
    "accuracy": lambda m: pt.eq(m.classifier.y_pred, m.y).mean(),
    "most probable of all": lambda m: pt.neq(pt.argmax(m.p), m.y).mean(),
    "over another length": lambda m: (
        pt.neq(m.classifier.y_pred, m.y).sum() / m.other.shape[0]
    ),
    "weighted": lambda m: (m.weights * pt.neq(m.classifier.y_pred, m.y)).mean(),
    "each": lambda m: pt.neq(m.classifier.y_pred, m.y),
    "real labels": lambda m: errors_of(m, m.p, m.weights),
    "column of labels": lambda m: errors_of(m, m.p, m.y[:, None]),
}


@pytest.mark.parametrize("case", PLAIN_ERRORS)
def test_near_miss_of_errors_stays_plain(case):
    m = model()
    assert_graph(m, [PLAIN_ERRORS[case](m)], [])


def test_errors_beside_predictions_stay_plain():
    m = model()
    assert_graph(m, [m.errors, m.classifier.y_pred], [])


@pytest.mark.parametrize("n_in, expected", [(4096, True), (4097, False)])
def test_size_decides(n_in, expected):
    assert 4096 * 16 == MOST_WEIGHTS
    assert_size_decides(n_in, 16, expected)


def test_special_values_pass_through_as_in_the_plain_graph():
    assert_special_values_pass_through(FUSED, "float64")
