"""All near misses of the fusion with their results, and compiled as the lesson's."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
import test_fusion_rewriting as quick
from fused import (
    EITHER,
    ERRORS,
    FUSED,
    LOSS,
    N_IN,
    N_OUT,
    PLAIN,
    assert_close,
    assert_fused,
    assert_sgd_is_fused,
    assert_size_decides,
    assert_special_values_pass_through,
    compiled,
    errors_of,
    fused_operations,
    gradients_of,
    labels_of_a_static_length_one,
    mode_of,
    model,
    nll,
    other_classifier,
    softmax_of,
    with_gradients,
)
from pytensor import grad

import logistic_cg
from utils.backends.fusion.op import softmax_regression_loss
from utils.backends.fusion.patterns import MOST_WEIGHTS

pytestmark = quick.pytestmark
constants_fold_uncompiled = quick.constants_fold_uncompiled


@pytest.mark.parametrize("linker", ["c", "cvm"])
def test_sgd_on_slices_of_shared_data(linker):
    assert_sgd_is_fused(mode_of(linker))


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


def test_flat_theta_in_single_precision():
    m = model("float32", logistic_cg)
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_parameters_may_be_given():
    m = model()
    W, b = (pt.tensor(dtype="float64", shape=s) for s in ((N_IN, N_OUT), (N_OUT,)))
    m.inputs = [m.x, m.y, W, b]
    m.values = [*m.values[:2], 2 * m.W_value, m.b_value]
    assert_fused(m, with_gradients(m, m.cost), LOSS, givens={m.W: W, m.b: b})


V = np.random.default_rng(1).normal(size=(N_IN, N_IN))


def fixed_layer(m):
    """The loss on tanh(x V), of which V is not trained."""
    return with_gradients(m, nll(m, softmax_of(pt.tanh(m.x @ V), m.W, m.b)))


FUSED_LOSSES = {
    "gradients alone": lambda m: grad(m.cost, m.params),
    "gradient by b alone": lambda m: [m.cost, grad(m.cost, m.b)],
    "fixed layer below": fixed_layer,
} | gradients_of(
    {
        "log softmax": lambda m: (
            -pt.special.log_softmax(m.z, axis=1)[m.rows, m.y].mean()
        ),
        "bias first": lambda m: nll(
            m, pt.special.softmax(m.b + pt.dot(m.x, m.W), axis=1)
        ),
    }
)


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


def weights_as_pixels(m):
    cost = nll(m, softmax_of(m.W.T, m.W[:N_IN], m.b), m.y[:N_OUT])
    return [cost, *grad(cost, m.params)]


SIMILAR_LOSSES = {
    "gradients of three times": lambda m: [m.cost, *grad(3 * m.cost, m.params)],
    "weights as pixels": weights_as_pixels,
} | gradients_of(
    {
        "three times": lambda m: 3 * m.cost,
        "maximised": lambda m: -m.cost,
        "sum over length": lambda m: -m.picked.sum() / m.y.shape[0],
        "mean over length": lambda m: m.cost / m.y.shape[0],
        "one label": lambda m: nll(m, m.p, labels_of_a_static_length_one(m)),
        "constant labels": lambda m: nll(m, m.p, pt.constant(m.values[1])),
        "one example": lambda m: nll(m, softmax_of(m.x[:1], m.W, m.b), m.y[:1]),
        "integer pixels": lambda m: nll(
            m, softmax_of((m.x * 255).astype("uint8"), m.W, m.b)
        ),
        "two models": lambda m: m.cost + nll(m, softmax_of(m.x[:, ::-1], m.W, m.b)),
    }
)


@pytest.mark.parametrize("case", SIMILAR_LOSSES)
def test_similar_loss_keeps_its_value(case):
    m = model()
    assert_fused(m, SIMILAR_LOSSES[case](m), EITHER)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint32"])
def test_labels_of_any_integer_type_are_fused(dtype):
    m = model(label_dtype=dtype)
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


def test_errors_are_fused_with_the_labels_first():
    m = model()
    assert_fused(m, [pt.mean(pt.neq(m.y, m.classifier.y_pred))], ERRORS)


def trained_layer_below(m):
    W = pytensor.shared(V)
    cost = nll(m, softmax_of(pt.tanh(pt.dot(m.x, W)), m.W, m.b))
    return [cost, *grad(cost, [W, *m.params])]


def gradient_by_logits(m):
    cost = nll(m, pt.special.softmax(m.z, axis=1))
    return [cost, *grad(cost, [m.W, m.b, m.z])]


PLAIN_COSTS = {
    "over a length cast to int8": lambda m: (
        -m.picked.sum() / m.y.shape[0].astype("int8")
    ),
    "softmax over all": lambda m: nll(m, softmax_of(m.x, m.W, m.b, axis=None)),
    "log of p plus a number": lambda m: nll(m, m.p + 1e-3),
    "log to base 2": lambda m: -pt.log2(m.p)[m.rows, m.y].mean(),
    "weighted classes": lambda m: (
        -(pt.log(m.p) * pt.arange(1, N_OUT + 1))[m.rows, m.y].mean()
    ),
    "squared": lambda m: (m.picked**2).mean(),
    "smoothed labels": lambda m: m.cost - 0.1 * pt.log(m.p).mean(),
    "labels of two vectors": lambda m: m.cost + nll(m, m.p, m.other),
    "every other row": lambda m: (
        -pt.log(m.p)[pt.arange(0, m.y.shape[0], 2), m.y[::2]].mean()
    ),
    "rows backwards": lambda m: nll(m, m.p, rows=m.rows[::-1]),
    "labels plus one, modulo": lambda m: nll(m, m.p, (m.y + 1) % N_OUT, m.rows),
    "transposed": lambda m: -pt.log(m.p.T)[m.y, m.rows].mean(),
    "a third term": lambda m: nll(m, pt.special.softmax(m.z + m.x[:, :N_OUT], axis=1)),
}
PLAIN_LOSSES = {
    "probabilities given out": lambda m: [*with_gradients(m, m.cost), m.p],
    "products used": lambda m: [*with_gradients(m, m.cost), pt.dot(m.x, m.W).max()],
    "losses of examples given out": lambda m: [*with_gradients(m, m.cost), m.picked],
    "trained layer below": trained_layer_below,
    "loss of other labels": lambda m: [
        nll(m, m.p, m.other, m.rows),
        *grad(m.cost, m.params),
    ],
    "loss over another length": lambda m: [
        -m.picked.sum() / m.other.shape[0],
        *grad(m.cost, m.params),
    ],
    "gradients alone, labels of another vector": lambda m: grad(
        nll(m, m.p, m.other, m.rows), m.params
    ),
    "gradient by the logits": gradient_by_logits,
    "unknown n_in": lambda m: other_classifier(m, (None, N_OUT), (N_OUT,)),
    "unknown n_out": lambda m: other_classifier(m, (N_IN, None), (N_OUT,)),
    "half precision": lambda m: other_classifier(m, (N_IN, N_OUT), (N_OUT,), "float16"),
}
PLAIN_LOSSES |= quick.PLAIN_LOSSES | gradients_of(PLAIN_COSTS)


@pytest.mark.parametrize("case", PLAIN_LOSSES)
def test_near_miss_of_the_loss_stays_plain(case):
    m = model()
    assert_fused(m, PLAIN_LOSSES[case](m), [])


@pytest.mark.parametrize("start, step", [(1, 1), (-1, 1), (0, 2), (0, -1)])
def test_rows_that_are_not_those_of_the_labels_stay_plain(start, step):
    m = model()
    cost = nll(m, m.p, rows=pt.arange(start, m.y.shape[0], step))
    for outputs in (with_gradients(m, cost), grad(cost, m.params)):
        assert fused_operations(compiled([m.x, m.y], outputs, FUSED)) == []


def one_static_row(m):
    """The prediction of one example against many labels."""
    x = pt.tensor("x", dtype="float64", shape=(1, N_IN))
    m.inputs[0], m.values[0] = x, m.values[0][:1]
    return errors_of(m, softmax_of(x, m.W, m.b), m.y)


PLAIN_ERRORS = quick.PLAIN_ERRORS | {
    "least probable": lambda m: pt.neq(pt.argmin(m.p, axis=1), m.y).mean(),
    "example most sure of a class": lambda m: pt.neq(
        pt.argmax(m.p, axis=0), m.y[:N_OUT]
    ).mean(),
    "softmax over the examples": lambda m: errors_of(
        m, softmax_of(m.x, m.W, m.b, axis=0), m.y
    ),
    "of either vector": lambda m: pt.or_(
        pt.neq(m.classifier.y_pred, m.y), pt.neq(m.classifier.y_pred, m.other)
    ).mean(),
    "one label": lambda m: errors_of(m, m.p, labels_of_a_static_length_one(m)),
    "one example": one_static_row,
}


@pytest.mark.parametrize("case", PLAIN_ERRORS)
def test_near_miss_of_errors_stays_plain(case):
    m = model()
    assert_fused(m, [PLAIN_ERRORS[case](m)], [])


def test_errors_beside_probabilities_stay_plain():
    m = model()
    assert_fused(m, [m.errors, m.p], [])


@pytest.mark.parametrize(
    "n_in, n_out, expected",
    [(2, 2, True), (784, 10, True), (2, MOST_WEIGHTS // 2 + 1, False)],
)
def test_size_decides(n_in, n_out, expected):
    assert_size_decides(n_in, n_out, expected)


@pytest.mark.parametrize("linker", ["python", "c"])
def test_special_values_pass_through_as_in_the_plain_graph(linker):
    mode = FUSED if linker == "python" else mode_of(linker)
    assert_special_values_pass_through(mode, "float32")


def test_negative_labels_count_from_the_end_as_in_the_plain_graph():
    m = model()
    m.values[1] -= N_OUT
    assert_fused(m, with_gradients(m, m.cost), LOSS)
    assert_fused(m, [m.errors], ERRORS)


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
    """The Op's gradient by its input is that of backpropagation."""
    m = model()
    W = pytensor.shared(V)
    hidden, params = pt.tanh(pt.dot(m.x, W)), [W, m.W, m.b]
    by_hand = softmax_regression_loss(hidden, m.W, m.b, m.y)[0]
    written = nll(m, softmax_of(hidden, m.W, m.b))
    function, plain = (
        compiled([m.x, m.y], [cost, *grad(cost, params)], mode=mode)
        for cost, mode in ((by_hand, FUSED), (written, PLAIN))
    )
    x, y, *_ = m.values
    for found, truth in zip(function(x, y), plain(x, y), strict=True):
        assert_close(found, truth, "float64")
