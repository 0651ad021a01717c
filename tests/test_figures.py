"""Pictures: what is drawn, where, in which colour, and in which words."""

import collections
import re
from xml.etree import ElementTree

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra `plot`")

from drawn import (  # noqa: E402
    HISTORY,
    METADATA,
    ODD_HISTORIES,
    colours_at,
    example,
    mistakes_by_hand,
    pixels,
    words,
)

from utils.report import figures  # noqa: E402
from utils.report.learning_curves import LearningCurves  # noqa: E402

NAMES = "weights", "learning_curve", "confusion", "mistakes"


def test_weights_are_red_against_and_blue_for_to_one_scale():
    W = np.zeros((784, 10))
    W[14 * 28 + 10, 0], W[3 * 28 + 20, 7], W[0, 9] = -2.0, 1.0, 1e-9
    figure = figures.weights(example(W=W))
    panels = {panel.get_title(): panel for panel in figure.axes}
    assert list(panels)[:10] == list("0123456789")
    darkest_red, white, full_blue = matplotlib.colormaps["RdBu"]([0.0, 0.5, 0.75])
    places = [("0", 10, 14), ("0", 20, 3), ("7", 20, 3), ("9", 0, 0)]
    found = colours_at(figure, *[(panels[digit], *place) for digit, *place in places])
    expected = np.array([darkest_red, white, full_blue, white])[:, :3]
    np.testing.assert_allclose(list(found), expected, atol=0.02)
    shown = words(figure)
    assert "red: ink here speaks\nagainst the class" in shown
    assert "blue: ink here speaks\nfor the class" in shown
    assert "−2" in shown and "+2" in shown


@pytest.mark.parametrize("n_out, rows, columns", [(1, 1, 1), (10, 2, 5), (150, 6, 17)])
def test_grid_of_the_weights(n_out, rows, columns):
    figure = figures.weights(example(W=np.ones((12, n_out))))
    panels = [panel for panel in figure.axes if panel.get_title()]
    assert len(panels) == min(n_out, 100)
    spec = panels[0].get_subplotspec().get_gridspec()
    assert (spec.nrows, spec.ncols) == (rows, columns)
    assert ("first 100 of 150" in words(figure)) == (n_out == 150)
    assert panels[0].images[0].get_array().shape == (3, 4)


def test_weights_that_are_all_zero_are_white():
    figure = figures.weights(example(W=np.zeros((9, 2))))
    (colour,) = colours_at(figure, (figure.axes[0], 1, 1))
    assert colour.min() > 0.95


def test_curves_hold_the_numbers_of_the_run():
    figure = figures.learning_curve(LearningCurves(HISTORY, METADATA))
    left, right = figure.axes
    assert left.lines[0].get_xydata().tolist() == [[e[0], e[2]] for e in HISTORY]
    validation, test, saved = right.lines
    np.testing.assert_allclose(
        validation.get_xydata(), [(1, 50), (2, 30), (3, 40), (4, 20), (5, 20)]
    )
    # Only where the validation error was the lowest so far was there a test.
    np.testing.assert_allclose(test.get_xydata(), [(1, 55), (2, 35), (4, 25)])
    assert saved.get_xdata()[0] == left.lines[1].get_xdata()[0] == 4
    shown = words(figure)
    assert "Best model: epoch 4 (dashed), validation error 20.00 %" in shown
    assert "test error 25.00 %" in shown and "test error of each new best" in shown


def test_curves_of_very_many_validations_have_no_markers():
    """An SVG of 100,000 takes a minute."""
    for n_tested, marker in ((1000, "s"), (1001, "None")):
        history = [(i, i, 1.0, 1 / i, 0.5, 1.0) for i in range(1, n_tested + 1)]
        figure = figures.learning_curve(LearningCurves(history, METADATA))
        assert figure.axes[1].lines[1].get_marker() == marker


def test_saved_as_png_and_svg_the_same_each_time(tmp_path, monkeypatch):
    evaluation = example(n=9)
    before = dict(matplotlib.rcParams)
    paths = figures.save(evaluation, tmp_path)
    expected = {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert set(paths) == {str(tmp_path / name) for name in expected}
    assert dict(matplotlib.rcParams) == before
    for name in NAMES:
        height, width, _ = matplotlib.image.imread(tmp_path / f"{name}.png").shape
        assert min(height, width) > 300
        root = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # One is enough: all are written by the same lines.
    one = {"learning_curve": figures.learning_curve(evaluation.curves)}
    monkeypatch.setattr(figures, "draw", lambda evaluation: one)
    for path in figures.save(evaluation, tmp_path):
        name = path.rpartition("/")[2]
        assert (tmp_path / name).read_bytes() == first[name]


def test_style_of_the_person_changes_nothing():
    reference = pixels(figures.weights(example()))
    with matplotlib.rc_context({"image.cmap": "hot", "figure.facecolor": "black"}):
        np.testing.assert_array_equal(pixels(figures.weights(example())), reference)


def test_confusion_counts_every_example():
    evaluation = example(n=1000)
    predictions = evaluation.predictions.tolist()
    labels = evaluation.labels.tolist()
    counts = collections.Counter(zip(labels, predictions, strict=True))
    figure = figures.confusion(evaluation)
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert len(cells) == len(counts) == 9
    for (label, prediction), count in counts.items():
        rate = 100 * count / labels.count(label)
        assert cells[prediction, label] == f"{count:,}\n{rate:.1f} %"
    # Beside each row and below each column, the share of it that is right.
    for side, answers in (1, labels), (2, predictions):
        expected = [f"{100 * counts[c, c] / answers.count(c):.1f}" for c in range(3)]
        assert [text.get_text() for text in figure.axes[side].texts] == expected
    wrong = sum(label != p for label, p in zip(labels, predictions, strict=True))
    assert f"{wrong} of all 1,000 test examples are wrong: {wrong / 10:.2f} %" in words(
        figure
    )


def test_many_classes_have_no_confusion_matrix(one_gibibyte):
    evaluation = example(W=np.ones((4, 10**5)))
    assert "100,000 classes" in evaluation.no_confusion
    assert set(figures.draw(evaluation)) == {"weights", "learning_curve", "mistakes"}
    fewer = example(W=np.ones((4, 1000)))
    assert not fewer.no_confusion and figures.confusion(fewer).axes


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


@pytest.mark.parametrize("n_out, cell", [(30, r"\d+"), (50, None)])
def test_confusion_of_many_classes(n_out, cell):
    figure = figures.confusion(example(n_out=n_out, n=500))
    texts = figure.axes[0].texts
    assert bool(texts) == bool(cell)
    assert all(re.fullmatch(cell, text.get_text()) for text in texts)
    assert [len(axes.texts) for axes in figure.axes[1:]] == [n_out if cell else 0] * 2


def test_share_of_none_is_a_dash_without_a_bar():
    """Class 1 is never predicted, of class 2 there is no example."""
    figure = figures.confusion(example(answers=[(0, 0), (0, 2), (1, 0)]))
    _, recall, precision = figure.axes
    assert [text.get_text() for text in recall.texts] == ["50.0", "0.0", "–"]
    assert [text.get_text() for text in precision.texts] == ["50.0", "–", "0.0"]
    assert recall.patches[0].get_data().values.tolist() == [0.5, 0, 0]
    assert precision.patches[0].get_data().values.tolist() == [0.5, 0, 0]


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


@pytest.mark.parametrize("history", ODD_HISTORIES.values(), ids=ODD_HISTORIES)
def test_curves_of_any_history_are_drawn(history):
    picture = pixels(figures.learning_curve(LearningCurves(history, METADATA)))
    assert picture.std() > 0
