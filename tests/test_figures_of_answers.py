"""Pictures of a model's answers: the confusion matrix and the mistakes."""

import collections
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra `plot`")

from drawn import example, words  # noqa: E402

from utils.report import figures  # noqa: E402


def test_confusion_counts_every_example():
    evaluation = example(n=1000)
    predictions = evaluation.probabilities.argmax(axis=1).tolist()
    labels = evaluation.labels.tolist()
    counts = collections.Counter(zip(labels, predictions, strict=True))
    figure = figures.confusion(evaluation.labels, evaluation.probabilities)
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert len(cells) == len(counts) == 9
    for (label, prediction), count in counts.items():
        rate = 100 * count / labels.count(label)
        assert cells[prediction, label] == f"{count:,}\n{rate:.1f} %"
    wrong = sum(label != p for label, p in zip(labels, predictions, strict=True))
    assert f"{wrong} of all 1,000 test examples are wrong: {wrong / 10:.2f} %" in words(
        figure
    )


def test_confusion_of_predictions_is_that_of_their_probabilities():
    evaluation = example()
    of_both = [
        figures.confusion(evaluation.labels, answers)
        for answers in (
            evaluation.probabilities,
            evaluation.probabilities.argmax(axis=1),
        )
    ]
    assert words(of_both[0]) == words(of_both[1])


def test_confusion_says_why_training_printed_another_error():
    labels = np.zeros(10, int)
    predictions = np.array([0, 0, 0, 1, 0, 0, 0, 0, 1, 1])
    # By hand: minibatches of 4 end after 8, with 1 wrong.
    metadata = {"test_error": 1 / 8, "batch_size": 4}
    shown = words(figures.confusion(labels, predictions, metadata=metadata))
    assert "3 of all 10 test examples are wrong: 30.00 %" in shown
    assert "a test error of 12.500000 %" in shown
    assert "full minibatches of 4 count, the first 8 examples" in shown
    assert "Of the 2 that are left out, 2 are wrong" in shown
    metadata = {"test_error": 0.3, "batch_size": 5}
    shown = words(figures.confusion(labels, predictions, metadata=metadata))
    assert "30.000000 %, of the same 10 examples" in shown


def test_confusion_of_a_class_without_examples():
    figure = figures.confusion(np.array([0, 0]), np.array([0, 0]), n_out=3)
    assert [text.get_text() for text in figure.axes[0].texts] == ["2\n100.0 %"]
    assert "0 of all 2 test examples are wrong: 0.00 %" in words(figure)


@pytest.mark.parametrize("n_out, cell", [(30, r"\d+"), (50, None)])
def test_confusion_of_many_classes(n_out, cell):
    evaluation = example(n_out=n_out, n=500)
    texts = figures.confusion(evaluation.labels, evaluation.probabilities).axes[0].texts
    assert bool(texts) == bool(cell)
    assert all(re.fullmatch(cell, text.get_text()) for text in texts)


def test_mistakes_are_the_most_confident_ones_in_order():
    evaluation = example(n=200)
    predictions = evaluation.probabilities.argmax(axis=1)
    wrong = [
        (evaluation.probabilities[i].max(), i)
        for i in range(200)
        if predictions[i] != evaluation.labels[i]
    ]
    figure = figures.mistakes(
        evaluation.images, evaluation.labels, evaluation.probabilities
    )
    assert len(figure.axes) == 15
    assert f"The 15 most confident of {len(wrong)} wrong answers" in words(figure)
    best_first = sorted(wrong, reverse=True)
    for panel, (probability, i) in zip(figure.axes, best_first, strict=False):
        assert panel.get_title() == (
            f"label {evaluation.labels[i]}, predicted {predictions[i]}\n"
            f"with {probability * 100:.1f} %"
        )
        drawn = np.ravel(panel.images[0].get_array())
        np.testing.assert_array_equal(drawn, evaluation.images[i])


@pytest.mark.parametrize(
    "n_wrong, title",
    [
        (0, "No mistakes: all 6 test examples are right"),
        (1, "1 wrong answer"),
        (6, "6 wrong answers"),
    ],
)
def test_few_mistakes_or_none(n_wrong, title):
    labels = np.array([1] * n_wrong + [0] * (6 - n_wrong))
    probabilities = np.tile([0.9, 0.1], (6, 1))
    figure = figures.mistakes(np.eye(6), labels, probabilities)
    assert len(figure.axes) == n_wrong
    assert title in words(figure).split("\n")
