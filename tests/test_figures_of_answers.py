"""Pictures of a model's answers: the confusion matrix and the mistakes."""

import collections
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra `plot`")

from drawn import example, mistakes_by_hand, words  # noqa: E402

from utils.report import figures  # noqa: E402


def test_confusion_counts_every_example():
    evaluation = example(n=1000)
    predictions = evaluation.probabilities.argmax(axis=1).tolist()
    labels = evaluation.labels.tolist()
    counts = collections.Counter(zip(labels, predictions, strict=True))
    figure = figures.confusion(evaluation)
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert len(cells) == len(counts) == 9
    for (label, prediction), count in counts.items():
        rate = 100 * count / labels.count(label)
        assert cells[prediction, label] == f"{count:,}\n{rate:.1f} %"
    wrong = sum(label != p for label, p in zip(labels, predictions, strict=True))
    assert f"{wrong} of all 1,000 test examples are wrong: {wrong / 10:.2f} %" in words(
        figure
    )


def test_confusion_says_why_training_printed_another_error():
    answers = [(0, prediction) for prediction in [0, 0, 0, 1, 0, 0, 0, 0, 1, 1]]
    # By hand: minibatches of 4 end after 8, with 1 wrong.
    evaluation = example(answers=answers, test_error=1 / 8, batch_size=4)
    shown = words(figures.confusion(evaluation))
    assert "3 of all 10 test examples are wrong: 30.00 %" in shown
    assert "a test error of 12.500000 %" in shown
    assert "full minibatches of 4 count, the first 8 examples" in shown
    assert "Of the 2 that are left out, 2 are wrong" in shown
    evaluation = example(answers=answers, test_error=0.3, batch_size=5)
    shown = words(figures.confusion(evaluation))
    assert "30.000000 %, of the same 10 examples" in shown


def test_confusion_of_a_class_without_examples():
    figure = figures.confusion(example(answers=[(0, 0), (0, 0)]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["2\n100.0 %"]
    assert "0 of all 2 test examples are wrong: 0.00 %" in words(figure)


@pytest.mark.parametrize("n_out, cell", [(30, r"\d+"), (50, None)])
def test_confusion_of_many_classes(n_out, cell):
    texts = figures.confusion(example(n_out=n_out, n=500)).axes[0].texts
    assert bool(texts) == bool(cell)
    assert all(re.fullmatch(cell, text.get_text()) for text in texts)


def test_mistakes_are_the_most_confident_ones_in_order():
    evaluation = example(n=200)
    wrong = mistakes_by_hand(evaluation)
    figure = figures.mistakes(evaluation)
    assert len(figure.axes) == 15
    assert f"The 15 most confident of {len(wrong)} wrong answers" in words(figure)
    for panel, (p, i, label, prediction) in zip(figure.axes, wrong, strict=False):
        title = f"label {label}, predicted {prediction}\nwith {p * 100:.1f} %"
        assert panel.get_title() == title
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
    figure = figures.mistakes(example(answers=[(n < n_wrong, 0) for n in range(6)]))
    assert len(figure.axes) == n_wrong
    assert title in words(figure).split("\n")
