"""The JAX mode: numbers against NumPy, data on the device, types kept."""

import copy
import logging
import os

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import reference
from compiled import Lesson

jax = pytest.importorskip("jax", reason="the JAX backend needs the extra `jax`")

from utils.backends import BackendError, jax_backend, warm_up  # noqa: E402

N_ROWS, N_IN, N_OUT, BATCH = 53, 7, 4, 10
LEARNING_RATE = 0.13
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture
def dtype(request):
    dtype = getattr(request, "param", "float32")
    with pytensor.config.change_flags(floatX=dtype):
        yield dtype


each_precision = pytest.mark.parametrize("dtype", TOLERANCE, indirect=True)


@pytest.fixture
def examples(dtype):
    rng = np.random.default_rng(4)
    x = rng.random((N_ROWS, N_IN)).astype(dtype)
    return x, rng.integers(0, N_OUT, N_ROWS).astype("int32")


def rows_of(data, index):
    return data[index * BATCH : (index + 1) * BATCH]


def stored(lesson):
    """What the variables hold, without a copy for the reader."""
    variables = lesson.x, lesson.y, lesson.W, lesson.b
    return [variable.container.storage[0] for variable in variables]


@pytest.fixture
def lesson(examples):
    mode = jax_backend.jax_mode()
    return Lesson(*examples, N_OUT, BATCH, LEARNING_RATE, mode)


@each_precision
def test_training_steps_match_numpy(lesson, examples, dtype):
    W, b = np.zeros((N_IN, N_OUT)), np.zeros(N_OUT)
    for index in [0, 3, 4, 1, 2, 0]:
        x, y = (rows_of(array, index) for array in examples)
        expected, g_W, g_b = reference.cost_and_gradients(W, b, x, y)
        W, b = W - LEARNING_RATE * g_W, b - LEARNING_RATE * g_b
        np.testing.assert_allclose(lesson.train(index), expected, rtol=TOLERANCE[dtype])
    tolerance = dict(rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(lesson.W.get_value(), W, **tolerance)
    np.testing.assert_allclose(lesson.b.get_value(), b, **tolerance)
    assert {array.dtype for array in stored(lesson)[2:]} == {np.dtype(dtype)}
    assert lesson.train(0).dtype == dtype


def test_shared_variables_stay_on_the_device(lesson):
    before = stored(lesson)
    lesson.train(0)
    lesson.validate(1)
    after = stored(lesson)
    assert all(isinstance(array, jax.Array) for array in before + after)
    kept = [a is b for a, b in zip(after, before, strict=True)]
    assert kept == [True, True, False, False]
    value = lesson.W.get_value()
    assert type(value) is np.ndarray
    before = value.copy()
    value += 1
    np.testing.assert_array_equal(lesson.W.get_value(), before)


def test_values_that_are_set_and_copies_are_on_the_device_too(lesson, dtype):
    lesson.b.set_value(np.arange(N_OUT, dtype=dtype))
    assert isinstance(lesson.b.container.storage[0], jax.Array)
    np.testing.assert_array_equal(lesson.b.get_value(), np.arange(N_OUT))
    with pytest.raises(TypeError):
        lesson.b.set_value(np.zeros((2, 2), dtype))
    twin = copy.deepcopy(lesson.W)
    lesson.train(0)
    assert not twin.get_value().any()
    assert lesson.W.get_value().any()


def test_minibatch_outside_the_data_is_an_index_error(lesson):
    for index in -1, -2, N_ROWS // BATCH, 10**12:
        rows = f"rows {index * BATCH} to {(index + 1) * BATCH - 1}, .*53"
        with pytest.raises(IndexError, match=rows):
            lesson.train(index)
    assert not lesson.W.get_value().any()


def test_one_call_compiles_and_changes_nothing(lesson, caplog):
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        warm_up(lesson.train)
        assert "typed" in caplog.text
        caplog.clear()
        assert not lesson.W.get_value().any()
        for index in range(3):
            lesson.train(index)
        lesson.W.set_value(lesson.W.get_value())
        lesson.train(0)
        assert "typed" not in caplog.text


def test_products_are_asked_for_in_full_precision(lesson):
    inputs = [np.int64(0), *stored(lesson)]
    values = {value.shape: value for value in inputs}
    ordered = [values[v.value.shape] for v in lesson.train.input_storage[1:]]
    lowered = lesson.train.vm.jit_fn.__wrapped__.lower(inputs[0], *ordered)
    products = [
        line for line in lowered.as_text().splitlines() if "dot_general" in line
    ]
    assert len(products) == 2
    assert all("HIGHEST, HIGHEST" in line for line in products)


def test_results_have_the_declared_dtype():
    # PyTensor's translation of a float32 product gives float64.
    x = pt.vector(dtype="float32")
    function = pytensor.function([x], [x.prod(), x * 2], mode=jax_backend.jax_mode())
    product, double = function(np.array([2, 3, 4], "float32"))
    assert (product, product.dtype, double.dtype) == (24, "float32", "float32")


def test_data_that_do_not_fit_on_the_device_are_refused(tmp_path):
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    shape = 2 * memory // 784 + 1, 784
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(shape[0] * shape[1])  # takes no room on disk
    pixels = np.asarray(np.memmap(tmp_path / "sparse", np.uint8, "r", shape=shape))
    variable = pytensor.shared(pixels, borrow=True)
    message = rf"has .* GB .* shape \({shape[0]}, 784\)"
    with pytest.raises(BackendError, match=message):
        jax_backend.put_on_device(variable)
    assert variable.get_value(borrow=True).shape == shape
