"""Predictions of digits in picture files, by the script and by its functions."""

import re

import numpy as np
import pytest
from processes import SGD
from scipy.special import softmax
from small_files import model_bytes

from logistic_sgd import LogisticRegression, predict_digits
from utils import digit_image
from utils.digit_image import DigitImageError
from utils.training import model_file
from utils.training.model_file import ModelFileError

Image = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")


def save_model(path, n_in=784, n_out=4):
    """A model whose class 1 is a vertical bar and whose class 2 a horizontal one."""
    W = np.zeros((n_in, n_out), dtype="float32")
    if n_in == 784:
        bar = np.full((28, 28), -0.02)
        bar[4:24, 13:16] = 0.1
        W[:, 1], W[:, 2 % n_out] = bar.ravel(), bar.T.ravel()
    path.write_bytes(model_bytes(W, {"dataset": "bars"}))


@pytest.fixture
def bars(tmp_path):
    """The model file, and a folder of its pictures: ``vertical.png``, ..."""
    save_model(tmp_path / "best_model.pkl")
    paper = np.full((120, 90, 3), (240, 235, 200), dtype="uint8")
    for name, where in {
        "vertical": np.s_[20:100, 50:62],
        "horizontal": np.s_[90:102, 5:85],
    }.items():
        picture = paper.copy()
        picture[where] = 10, 20, 120
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    Image.fromarray(paper).save(tmp_path / "blank.png")
    return tmp_path


def test_script_prints_three_best_and_reads_past_bad_pictures(run, bars):
    (bars / "horizontal.png").rename(bars / "größe\x1b[1m.png")
    names = ["blank.png", "vertical.png", "gone\n\x9b2J\udcff", "größe\x1b[1m.png"]
    done = run(SGD, "--predict", *names, environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    share = r"\d+\.\d %"
    assert re.fullmatch(
        rf"vertical.png: 1 \(1: {share}, \d: {share}, \d: {share}\)\n"
        rf"gr\\xf6\\xdfe\\x1b\[1m.png: 2 \(2: {share}, \d: {share}, \d: {share}\)\n",
        done.stdout,
    )
    errors = done.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("logistic_sgd.py: error: blank.png: the picture is ")
    assert errors[1].startswith(r"gone\n\x9b2J\udcff: cannot be read")


def test_probabilities_are_softmax_of_the_pixels(bars, capsys):
    W = np.asarray(
        model_file.load(bars / "best_model.pkl", LogisticRegression).W.get_value(),
        float,
    )
    found = predict_digits([bars / "vertical.png"], bars / "best_model.pkl")
    pixels = digit_image.read(bars / "vertical.png")
    np.testing.assert_allclose(found[0], softmax(pixels @ W), rtol=1e-5)
    words = capsys.readouterr().out
    printed = [float(p) for p in re.findall(r"([\d.]+) %", words)]
    np.testing.assert_allclose(printed, 100 * np.sort(found[0])[:0:-1], atol=0.05)


def test_doubts_are_part_of_the_answer(bars, capsys):
    """Two bars side by side, and a picture of which the model makes nothing."""
    vertical = np.asarray(Image.open(bars / "vertical.png"))
    Image.fromarray(np.hstack([vertical, vertical])).save(bars / "two.png")
    Image.fromarray(np.swapaxes(vertical, 0, 1)).save(bars / "fallen.png")
    np.copyto(square := vertical.copy(), vertical[0, 0])
    square[30:90, 20:70] = 10, 20, 120
    square[40:80, 30:60] = vertical[0, 0]
    Image.fromarray(square).save(bars / "square.png")
    names = [bars / f"{name}.png" for name in ("two", "fallen", "square")]
    predict_digits(names, bars / "best_model.pkl")
    two, fallen, square = capsys.readouterr().out.splitlines()
    assert "); doubtful: 2 pieces of ink lie apart" in two
    assert "; doubtful" not in fallen
    assert square.endswith("%); doubtful: the model is not sure")


def test_plot_shows_what_the_model_sees(bars):
    names = [bars / "vertical.png", bars / "blank.png"]
    with pytest.raises(DigitImageError, match="blank"):
        predict_digits(names, bars / "best_model.pkl", plot=bars / "plots")
    assert [p.name for p in (bars / "plots").iterdir()] == ["vertical_seen.png"]


def test_previews_show_both_and_overwrite_neither(bars):
    (bars / "b").mkdir()
    (bars / "vertical.png").rename(bars / "b" / "my.png")
    (bars / "horizontal.png").rename(bars / "my.png")
    digits, _ = digit_image.read_all([bars / "my.png", bars / "b" / "my.png"])
    paths = digit_image.write_previews(digits, bars / "plots")
    assert [path.name for path in paths] == ["my_seen.png", "my_2_seen.png"]
    page = np.asarray(Image.open(paths[0]))
    seen = page[1:-1, -281:-1].reshape(28, 10, 28, 10)
    assert np.ptp(seen, axis=(1, 3)).max() == 0  # each pixel is one square
    expected = 255 - digits[0].pixels.reshape(28, 28) * 255
    np.testing.assert_allclose(seen[:, 0, :, 0], expected, atol=1)
    # On the left the picture, 120 pixels high, of which the bar takes rows 90 to 101.
    left = page[1:-1, 20:180]
    rows = np.flatnonzero(left.mean(axis=1) < 128) * 120 / 280
    assert rows.min() == pytest.approx(90, abs=1)
    assert rows.max() == pytest.approx(102, abs=1)


def test_previews_of_many_pictures_of_one_name():
    """In no time: each name is looked for once, not among all names before it."""
    pictures = [f"{folder}/a.png" for folder in range(20_000)]
    paths = digit_image.preview_paths([*pictures, "a_2.png"], "plots")
    names = [path.name for path in paths]
    assert names[:2] == ["a_seen.png", "a_2_seen.png"]
    assert names[-2:] == ["a_20000_seen.png", "a_2_2_seen.png"]


def test_preview_of_a_tall_strip(bars):
    """Scaled to the height of the page, it is thinner than a pixel."""
    strip = np.full((5600, 8), 230, "uint8")
    strip[2800:3050] = 10
    Image.fromarray(strip).save(bars / "strip.png")
    predict_digits([bars / "strip.png"], bars / "best_model.pkl", plot=bars / "plots")
    assert Image.open(bars / "plots" / "strip_seen.png").height == 282


def test_model_of_another_size_is_named(bars):
    save_model(bars / "small.pkl", n_in=100)
    with pytest.raises(ModelFileError, match="small.pkl: .*8x8 = 64.*expects 100"):
        predict_digits([bars / "vertical.png"], bars / "small.pkl")


def test_weights_that_give_no_answer(bars, capsys):
    (bars / "large.pkl").write_bytes(model_bytes(np.full((784, 3), 3e38, "f4"), {}))
    with pytest.raises(ModelFileError, match="large.pkl: .*found nan"):
        predict_digits([bars / "vertical.png"], bars / "large.pkl")
    assert capsys.readouterr().out == ""


def test_model_of_two_classes(bars, capsys):
    save_model(bars / "two.pkl", n_out=2)
    predict_digits([bars / "vertical.png"], bars / "two.pkl")
    assert capsys.readouterr().out.count("%") == 2


def test_model_of_8x8_images(bars, capsys):
    """Two bars in the middle of 8x8, as scikit-learn's digits would have them."""
    W = np.full((64, 3), -0.1, "float32")
    for c, where in (1, np.s_[:, 3:5]), (2, np.s_[3:5, 1:7]):
        template = np.zeros((8, 8))
        template[where] = 1
        W[:, c] += template.ravel()
    (bars / "small.pkl").write_bytes(model_bytes(W, {"dataset": "digits"}))
    names = [bars / "vertical.png", bars / "blank.png"]
    with pytest.raises(DigitImageError, match="blank"):
        predict_digits(names, bars / "small.pkl", plot=bars / "plots")
    assert "vertical.png: 1 (1: " in capsys.readouterr().out
    page = np.asarray(Image.open(bars / "plots" / "vertical_seen.png"))
    seen = page[1:-1, -281:-1].reshape(8, 35, 8, 35)
    assert np.ptp(seen, axis=(1, 3)).max() == 0  # each pixel is one square
    assert (seen[:, 0, [0, 1, 6, 7], 0] == 255).all() and (seen[:, 0, 3, 0] < 60).all()
