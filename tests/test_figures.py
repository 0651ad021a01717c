"""Pictures: what is drawn, where, in which colour, and in which words."""

from xml.etree import ElementTree

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra `plot`")

from drawn import HISTORY, colour_at, example, pixels, words  # noqa: E402

from utils.datasets import load  # noqa: E402
from utils.files import WriteError  # noqa: E402
from utils.report import figures  # noqa: E402
from utils.report.evaluation import evaluate  # noqa: E402

NAMES = "weights", "learning_curve", "confusion", "mistakes"


def test_weights_are_red_against_and_blue_for_to_one_scale():
    W = np.zeros((784, 10))
    W[14 * 28 + 10, 0], W[3 * 28 + 20, 7], W[0, 9] = -2.0, 1.0, 1e-9
    figure = figures.weights(W)
    panels = {panel.get_title(): panel for panel in figure.axes}
    assert list(panels)[:10] == list("0123456789")
    darkest_red, white, full_blue = matplotlib.colormaps["RdBu"]([0.0, 0.5, 0.75])
    for digit, column, row, expected in [
        ("0", 10, 14, darkest_red),
        ("0", 20, 3, white),
        ("7", 20, 3, full_blue),
        ("9", 0, 0, white),
    ]:
        found = colour_at(figure, panels[digit], column, row)
        np.testing.assert_allclose(found, expected[:3], atol=0.02)
    shown = words(figure)
    assert "red: ink here speaks\nagainst the class" in shown
    assert "blue: ink here speaks\nfor the class" in shown
    assert "−2" in shown and "+2" in shown


@pytest.mark.parametrize(
    "n_out, rows, columns",
    [(1, 1, 1), (2, 1, 2), (10, 2, 5), (30, 3, 10), (150, 6, 17)],
)
def test_grid_of_the_weights(n_out, rows, columns):
    figure = figures.weights(np.ones((4, n_out)))
    panels = [panel for panel in figure.axes if panel.get_title()]
    assert len(panels) == min(n_out, 100)
    spec = panels[0].get_subplotspec().get_gridspec()
    assert (spec.nrows, spec.ncols) == (rows, columns)
    assert ("first 100 of 150" in words(figure)) == (n_out == 150)


@pytest.mark.parametrize(
    "n_in, shape",
    [(784, (28, 28)), (64, (8, 8)), (12, (3, 4)), (768, (24, 32)), (7, (1, 7))],
)
def test_shape_of_an_image(n_in, shape):
    assert figures.image_shape(n_in) == shape
    image = figures.weights(np.eye(n_in)[:, :2]).axes[0].images[0]
    assert image.get_array().shape == shape


def test_weights_that_are_all_zero_are_white():
    figure = figures.weights(np.zeros((9, 2)))
    assert colour_at(figure, figure.axes[0], 1, 1).min() > 0.95


def test_curves_hold_the_numbers_of_the_run():
    figure = figures.learning_curve(HISTORY)
    left, right = figure.axes
    assert left.lines[0].get_xydata().tolist() == [[e[0], e[2]] for e in HISTORY]
    validation, test, best = right.lines
    np.testing.assert_allclose(
        validation.get_xydata(), [(1, 50), (2, 30), (3, 40), (4, 20), (5, 20)]
    )
    # Only where the validation error was the lowest so far was there a test.
    np.testing.assert_allclose(test.get_xydata(), [(1, 55), (2, 35), (4, 25)])
    assert best.get_xdata()[0] == left.lines[1].get_xdata()[0] == 4
    shown = words(figure)
    assert "epoch 4 (dashed), validation error 20.00 %, test error 25.00 %" in shown


@pytest.mark.parametrize(
    "history, trained_by, unit, x",
    [
        (HISTORY[:1], "minibatch SGD", "epoch", [1]),
        (
            [(n, -1, *e[2:]) for n, e in enumerate(HISTORY, 1)],
            "conjugate gradient",
            "iteration of conjugate gradient",
            [1, 2, 3, 4, 5],
        ),
        # Validated more than once in an epoch.
        ([(1, *e[1:]) for e in HISTORY], "SGD", "minibatch", [10, 20, 30, 40, 50]),
    ],
)
def test_what_the_curves_are_drawn_by(history, trained_by, unit, x):
    figure = figures.learning_curve(history, trained_by)
    for panel in figure.axes:
        assert panel.get_xlabel() == unit
        assert panel.lines[0].get_xdata().tolist() == x
        low, high = panel.get_xlim()
        assert low < x[0] and x[-1] < high
    pixels(figure)


def test_saved_as_png_and_svg_the_same_each_time(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    before = dict(matplotlib.rcParams)
    for folder in (first, second):
        folder.mkdir()
        paths = figures.save(example(test_error=0.5, batch_size=20), folder)
        expected = {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
        assert {path.name for path in folder.iterdir()} == expected
        assert set(paths) == {str(folder / name) for name in expected}
    assert dict(matplotlib.rcParams) == before
    for name in NAMES:
        height, width, _ = matplotlib.image.imread(first / f"{name}.png").shape
        assert min(height, width) > 300
        root = ElementTree.parse(first / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        for kind in ("png", "svg"):
            file = f"{name}.{kind}"
            assert (first / file).read_bytes() == (second / file).read_bytes()


def test_style_of_the_person_changes_nothing(tmp_path):
    reference = pixels(figures.weights(example().W))
    with matplotlib.rc_context({"image.cmap": "hot", "figure.facecolor": "black"}):
        np.testing.assert_array_equal(pixels(figures.weights(example().W)), reference)


def test_folder_that_is_gone(tmp_path):
    with pytest.raises(WriteError, match="weights.png: cannot be written"):
        figures.save(example(), tmp_path / "gone")


def test_pictures_of_mnist(mnist_folder, tmp_path):
    """The published run: 7.489583 % of 9,600 wrong, 7.75 % of all 10,000."""
    from logistic_sgd import sgd_optimization_mnist

    model = tmp_path / "best_model.pkl"
    result = sgd_optimization_mnist(dataset=mnist_folder, model=model)
    evaluation = evaluate(result)
    drawn = figures.draw(evaluation)
    # Ink in the middle speaks against a zero and for a one.
    weights = drawn["weights"]
    red, green, blue = colour_at(weights, weights.axes[0], 14, 14)
    assert red > 0.6 and green < 0.4 and blue < 0.4
    red, green, blue = colour_at(weights, weights.axes[1], 14, 14)
    assert blue > 0.5 and red < 0.4
    shown = words(drawn["confusion"])
    assert "775 of all 10,000 test examples are wrong: 7.75 %" in shown
    assert "a test error of 7.489583 %" in shown
    assert "the first 9,600 examples" in shown
    x, y = load(mnist_folder)[2]
    wrong = np.argmax(x @ evaluation.W.astype("float64") + evaluation.b, axis=1) != y
    assert f"Of the 400 that are left out, {wrong[9600:].sum()} are wrong" in shown
    assert "epoch 73 (dashed), validation error 7.50 %" in words(
        drawn["learning_curve"]
    )
