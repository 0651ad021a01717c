"""Graphs that are fused or not with their results, and compiled as the lesson's."""

import numpy as np
import pytensor.tensor as pt
import pytest
import test_fusion_rewriting as quick
from fused import (
    ERRORS,
    LOSS,
    N_IN,
    N_OUT,
    PLAIN,
    ROWS,
    Model,
    assert_fused,
    assert_sgd_is_fused,
    assert_special_values_pass_through,
    compiled,
    fused_operations,
    gradients_of,
    mode_of,
    softmax_of,
)
from pytensor import grad
from pytensor.compile.mode import Mode

pytestmark = quick.pytestmark
constants_fold_uncompiled = quick.constants_fold_uncompiled


@pytest.mark.parametrize("linker", ["c", "cvm"])
def test_sgd_on_slices_of_shared_data(linker):
    assert_sgd_is_fused(mode_of(linker))


def test_parameters_may_be_given():
    m = Model()
    W, b = (pt.tensor(dtype="float64", shape=s) for s in ((N_IN, N_OUT), (N_OUT,)))
    m.inputs[2:], m.values[2:] = [W, b], [2 * m.W_value, m.b_value]
    assert_fused(m, m.with_gradients(m.cost), LOSS, givens={m.W: W, m.b: b})


V = np.random.default_rng(1).normal(size=(N_IN, N_IN))
FUSED_LOSSES = {
    "gradients alone": lambda m: grad(m.cost, m.params),
    "gradient by b alone": lambda m: [m.cost, grad(m.cost, m.b)],
} | gradients_of(
    {
        "fixed layer below": lambda m: m.loss(softmax_of(pt.tanh(m.x @ V), m.W, m.b)),
        "log softmax": lambda m: (
            -pt.special.log_softmax(m.z, axis=1)[m.rows, m.y].mean()
        ),
        "bias first": lambda m: m.loss(
            pt.special.softmax(m.b + pt.dot(m.x, m.W), axis=1)
        ),
    }
)


@pytest.mark.parametrize("case", FUSED_LOSSES)
def test_loss_is_fused(case):
    m = Model()
    assert_fused(m, FUSED_LOSSES[case](m), LOSS)


def test_errors_are_fused_with_the_labels_first():
    m = Model()
    assert_fused(m, [pt.mean(pt.neq(m.y, m.classifier.y_pred))], ERRORS)


@pytest.mark.parametrize("backend", ["c", "numba"])
def test_all_forms_in_one_function(backend):
    """Each third compiled for C, of which the quick tests rewrite all; for Numba all
    rewritten, and run by Python: to compile them takes long."""
    mode, forms = mode_of(backend), [cost for cost, _ in quick.FORMS.values()]
    beside = [*quick.BESIDE.values()]
    if backend == "c":
        forms, beside = forms[::3], beside[::3]
    else:
        mode = Mode("py", mode.optimizer)
    cases = [gradients_of({0: cost})[0] for cost in forms] + beside
    models = [Model("float32") for _ in cases]
    inputs = [v for m in models for v in m.inputs]
    values = [v for m in models for v in m.values]
    outputs = [v for m, case in zip(models, cases, strict=True) for v in case(m)]
    fused, plain = (compiled(inputs, outputs, m) for m in (mode, PLAIN))
    found = [fused_operations(fused).count(op) for op in (*LOSS, *ROWS)]
    assert found == [len(forms), len(beside)]
    for result, truth in zip(fused(*values), plain(*values), strict=True):
        np.testing.assert_allclose(result, truth, rtol=1e-4, atol=1e-5)


SIMILAR_LOSSES = {
    "gradients of three times": lambda m: [m.cost, *grad(3 * m.cost, m.params)],
} | gradients_of(
    {
        "mean over length": lambda m: m.cost / m.y.shape[0],
        "one label": lambda m: m.loss(m.p, m.one_label()),
        "constant labels": lambda m: m.loss(m.p, pt.constant(m.values[1])),
        "one example": lambda m: m.loss(softmax_of(m.x[:1], m.W, m.b), m.y[:1]),
        "integer pixels": lambda m: m.loss(
            softmax_of((m.x * 255).astype("uint8"), m.W, m.b)
        ),
        "weights as pixels": lambda m: m.loss(
            softmax_of(m.W.T, m.W[:N_IN], m.b), m.y[:N_OUT]
        ),
        "two models": lambda m: m.cost + m.loss(softmax_of(m.x[:, ::-1], m.W, m.b)),
    }
)
SIMILAR_LOSSES |= quick.PLAIN_LOSSES


@pytest.mark.parametrize("case", SIMILAR_LOSSES)
def test_similar_loss_keeps_its_value(case):
    m = Model()
    assert_fused(m, SIMILAR_LOSSES[case](m))


@pytest.mark.parametrize("case", quick.PLAIN_ERRORS)
def test_similar_errors_keep_their_value(case):
    m = Model()
    assert_fused(m, [quick.PLAIN_ERRORS[case](m)])


def test_special_values_pass_through_as_in_the_plain_graph():
    assert_special_values_pass_through(mode_of("c"), "float32")
