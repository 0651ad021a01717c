"""The numbers of figures and page, against NumPy, scikit-learn and counts by hand."""

import numpy as np
import pytensor
import pytest
from drawn import HISTORY, METADATA, example
from processes import with_peak
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from utils import datasets
from utils.report.evaluation import evaluate, image_shape
from utils.report.learning_curves import LearningCurves
from utils.training import TrainingResult, model_file
from utils.training.model_file import ModelFileError


@pytest.fixture
def save(tmp_path, tiny_npz):
    """Save a model of random weights as a run on the tiny dataset would have."""

    def call(n_in=12, n_out=3, dtype="float64", best_epoch=4, dataset=tiny_npz):
        rng = np.random.default_rng(8)
        W = rng.normal(size=(n_in, n_out)).astype(dtype)
        b = rng.normal(size=n_out).astype(dtype)
        path = tmp_path / "m.pkl"
        path.write_bytes(model_file.dumps({"W": W, "b": b, "metadata": METADATA}))
        return TrainingResult(0.2, 0.25, best_epoch, 5, 5.0, HISTORY, path, dataset)

    return call


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_probabilities_of_all_test_examples(
    save, tiny_splits, monkeypatch, dtype, tolerance
):
    monkeypatch.setattr("utils.report.evaluation.CHUNK", 7)  # 30 = 4 x 7 + 2
    monkeypatch.setattr(pytensor, "function", None)  # nothing is compiled
    evaluation = evaluate(save(dtype=dtype))
    test_x, test_y = tiny_splits[2]
    np.testing.assert_array_equal(evaluation.labels, test_y)
    np.testing.assert_array_equal(evaluation.scaled(slice(None)), test_x)
    raised = np.exp(test_x @ evaluation.W.astype("float64") + evaluation.b)
    expected = raised / raised.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(evaluation.predictions, expected.argmax(axis=1))
    highest = expected.max(axis=1)
    np.testing.assert_allclose(evaluation.confidence, highest, atol=tolerance)
    assert evaluation.confidence.dtype == evaluation.scaled(0).dtype == dtype
    assert (evaluation.history, evaluation.metadata["epoch"]) == (HISTORY, 4)


def test_floats_stay_as_they_are(save, tmp_path):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 12)).astype("float32"), np.arange(30) % 3
    np.savez(tmp_path / "f.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    evaluation = evaluate(save(dtype="float32", dataset=tmp_path / "f.npz"))
    np.testing.assert_array_equal(evaluation.scaled(slice(None)), x)


def test_mapped_images_do_not_become_floats_as_a_whole(save, tmp_path):
    """20,000 images are 16 MB of bytes in the file, and would be 63 MB of float32."""
    for name, n in [("train", 60), ("test", 20_000)]:
        rng = np.random.default_rng(n)
        x = rng.integers(0, 256, (n, 784), dtype="uint8")
        np.save(tmp_path / f"x_{name}.npy", x)
        np.save(tmp_path / f"y_{name}.npy", np.arange(n) % 3)
    result = save(n_in=784, dtype="float32", dataset=tmp_path)
    datasets.load(tmp_path)  # whatever is imported and checked the first time
    evaluation, peak = with_peak(evaluate, result)
    assert len(evaluation.predictions) == 20_000
    assert peak < 20e6


def test_probabilities_of_many_classes_are_not_kept(save, tmp_path):
    """Those of 2,000 images and 50,000 classes would take 800 MB."""
    x, y = np.zeros((50_000, 2), np.uint8), np.arange(50_000)[::-1]
    x[:, 0] = y % 256
    sets = {"x_train": x, "y_train": y, "x_test": x[:2000], "y_test": y[:2000]}
    np.savez(tmp_path / "many.npz", **sets)
    result = save(2, 50_000, dataset=tmp_path / "many.npz")
    evaluation, peak = with_peak(evaluate, result)
    scores = x[:3] / 256 @ evaluation.W + evaluation.b
    assert evaluation.predictions[:3].tolist() == scores.argmax(axis=1).tolist()
    assert peak < 300e6


def test_run_that_saved_no_model(save):
    with pytest.raises(ModelFileError, match="m.pkl: .* saved no model"):
        evaluate(save(best_epoch=0))


def test_model_that_another_run_replaced(save):
    with pytest.raises(ModelFileError, match=r"\(n, 12\), found one for \(n, 7\)"):
        evaluate(save(n_in=7))


def test_counts_and_rates_are_scikit_learns():
    evaluation = example(n=200)
    pair = evaluation.labels, evaluation.predictions
    np.testing.assert_array_equal(evaluation.counts, confusion_matrix(*pair))
    rates = confusion_matrix(*pair, normalize="true")
    np.testing.assert_allclose(evaluation.rates, rates)
    np.fill_diagonal(rates, 0)
    np.testing.assert_allclose(evaluation.wrong_rates, rates)
    label, prediction = evaluation.commonest_confusion
    assert rates[label, prediction] == rates.max()


@pytest.mark.parametrize("n_out, n", [(3, 200), (10, 60)])
def test_precision_and_recall_are_scikit_learns(n_out, n):
    evaluation = example(n_out=n_out, n=n)
    expected = precision_recall_fscore_support(
        evaluation.labels,
        evaluation.predictions,
        labels=range(n_out),
        zero_division=np.nan,
    )
    np.testing.assert_allclose(evaluation.precision, expected[0], rtol=1e-12)
    np.testing.assert_allclose(evaluation.recall, expected[1], rtol=1e-12)


def test_commonest_confusion_of_many_classes(one_gibibyte):
    """Their matrix would take 80 GB."""
    answers = [(0, 0), (99_999, 1), (99_999, 99_998), (99_999, 99_998), (5, 5)]
    evaluation = example(n_out=100_000, answers=answers)
    assert evaluation.commonest_confusion == (99_999, 99_998)
    # Of the answers 0, 1 and 5, two are right; 2 is neither a label nor an answer.
    np.testing.assert_array_equal(evaluation.precision[[0, 1, 5, 2]], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(evaluation.recall[[0, 99_999, 2]], [1, 0, np.nan])


def test_class_without_examples_has_rates_of_zero():
    evaluation = example(answers=[(0, 0), (0, 2)])
    assert evaluation.totals.tolist() == [2, 0, 0]
    assert evaluation.rates.tolist() == [[0.5, 0, 0.5], [0, 0, 0], [0, 0, 0]]
    assert evaluation.commonest_confusion == (0, 2)
    assert example(answers=[(0, 0)]).commonest_confusion is None


@pytest.mark.parametrize("batch_size, n", [(20, 20), (7, 28), (30, 30)])
def test_examples_in_full_minibatches(batch_size, n):
    assert example(n=30, batch_size=batch_size).n_in_minibatches == n


@pytest.mark.parametrize(
    "n_in, shape",
    [(784, (28, 28)), (64, (8, 8)), (12, (3, 4)), (768, (24, 32)), (7, (1, 7))],
)
def test_shape_of_an_image(n_in, shape):
    assert image_shape(n_in) == shape


def test_curves_mark_the_last_new_best():
    curves = LearningCurves(HISTORY, METADATA)
    assert (curves.x, curves.x_name) == ((1, 2, 3, 4, 5), "epoch")
    np.testing.assert_allclose(curves.validation_errors, [50, 30, 40, 20, 20])
    np.testing.assert_allclose(curves.test_errors, [55, 35, 35, 25, 25])
    assert (curves.tested, curves.saved) == ([0, 1, 3], 3)
    assert (curves.saved_name, curves.saved_at) == ("best model", "epoch 4")


@pytest.mark.parametrize(
    "history, metadata, x_name, x, saved_at",
    [
        (HISTORY[:1], {"validation_error": 0.5, "epoch": 1}, "epoch", (1,), "epoch 1"),
        (
            [(epoch, -1, *rest) for epoch, _, *rest in HISTORY],
            {"trained_by": "conjugate gradient"},
            "iteration of conjugate gradient",
            (1, 2, 3, 4, 5),
            "iteration 4",
        ),
        # Validated more than once in an epoch.
        (
            [(1, *rest) for _, *rest in HISTORY],
            {"epoch": 1},
            "minibatch",
            (10, 20, 30, 40, 50),
            "minibatch 40",
        ),
    ],
)
def test_unit_of_the_curves(history, metadata, x_name, x, saved_at):
    curves = LearningCurves(history, METADATA | metadata)
    assert (curves.x_name, curves.x, curves.saved_at) == (x_name, x, saved_at)


def test_curves_after_a_number_of_steps_mark_the_latest_model():
    # The last of three validations, after 26 of 30 minibatches, is not the lowest.
    history = [*HISTORY[:2], (3, 25, 0.6, 0.4, 0.45, 3.0)]
    curves = LearningCurves(history, METADATA | {"epoch": 3, "step": 26})
    assert (curves.x, curves.x_name) == ((10, 20, 26), "step")
    assert (curves.tested, curves.saved) == ([0, 1, 2], 2)
    assert (curves.saved_name, curves.saved_at) == ("latest model", "step 26")


def test_curves_of_a_run_that_resumed_one_of_steps():
    """Its third validation is a new best for it: the latest model had 0.4."""
    history = [HISTORY[3], HISTORY[2], (6, 59, 0.4, 0.3, 0.35, 6.0)]
    at = {"epoch": 6, "validation_error": 0.3}
    curves = LearningCurves(history, METADATA | at)
    assert (curves.saved, curves.saved_at) == (2, "epoch 6")
