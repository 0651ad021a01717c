"""The page's content, read as text; its behaviour in a browser is in long/."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from drawn import HISTORY, ODD_HISTORIES, example, mistakes_by_hand
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from utils.report import page as report
from utils.report.page.images import RDBU


class Reader(HTMLParser):
    """A page's words, and the attributes of its elements, by their names."""

    def __init__(self, page):
        super().__init__()
        self.words, self.elements = "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def render(evaluation, command="python logistic_sgd.py"):
    return report.render(evaluation, command)


def rows(page, start):
    """The cells of the first table after a text, row by row."""
    table = page[page.index(start) :].split("</table>")[0]
    return [
        re.findall(r"<t[hd][^>]*>([^<]*)<", row)
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)
    ]


def test_head_tells_the_errors_and_why_they_differ():
    evaluation = example(n=30, dataset="data/digits.npz")
    words = Reader(render(evaluation)).words
    assert "Logistic regression on digits.npz" in words
    assert "20.000000 %" in words and "25.000000 %" in words
    assert "of the 20 in full minibatches" in words
    wrong = len(mistakes_by_hand(evaluation))
    assert f"{wrong} of 30 are wrong" in words
    assert f"{100 * wrong / 30:.2f} %" in words
    assert ["dataset", "data/digits.npz"] in rows(render(evaluation), 'class="facts"')


def test_curves_are_those_of_the_history():
    page = render(example())
    lines = [
        np.array([point.split(",") for point in points.split()], dtype=float)
        for points in re.findall(r'points="([^"]*)"', page)
    ]
    epochs, _, costs, validation, test, _ = np.array(HISTORY).T
    bests = [0, 1, 3]  # a lower validation error than ever before
    expected = [(epochs, validation), (epochs[bests], test[bests]), (epochs, costs)]
    assert len(lines) == 3
    for line, (x, y) in zip(lines, expected, strict=True):
        assert len(line) == len(x)
        np.testing.assert_allclose(np.corrcoef(line[:, 0], x)[0, 1], 1, atol=1e-5)
        np.testing.assert_allclose(np.corrcoef(line[:, 1], y)[0, 1], -1, atol=1e-3)
    # Both errors to one scale.
    together = np.concatenate(lines[:2])[:, 1]
    values = np.concatenate([validation, test[bests]])
    np.testing.assert_allclose(np.corrcoef(together, values)[0, 1], -1, atol=1e-3)
    assert page.count("best model: epoch 4<") == 2
    # The dashed lines are at the fourth point of the validation errors and costs.
    marks = re.findall(r'class="saved" x1="([\d.]+)"', page)
    assert [float(x) for x in marks] == [lines[0][3, 0], lines[2][3, 0]]
    assert "20.00 %, at epoch 4" in page


def test_latest_model_is_marked_after_a_number_of_steps():
    page = render(example(step=50, epoch=5))
    assert page.count("latest model: step 50<") == 2
    assert "best" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    assert "latest model" in Reader(page).words and "step 50of 5" in Reader(page).words


def image(uri):
    PIL = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(PIL.open(io.BytesIO(data)))


def test_templates_are_blue_for_and_red_against():
    evaluation = example(n_in=12)
    evaluation.W[:] = 0
    evaluation.W[5, 0], evaluation.W[6, 1] = -2, 2
    images = [
        image(attributes["src"])
        for attributes in Reader(render(evaluation)).all("img")
        if attributes["alt"].startswith("Weights of class")
    ]
    assert [i.shape for i in images] == [(3, 4, 3)] * 3
    assert tuple(images[0][1, 1]) == tuple(RDBU[0])  # dark red: row 1, column 1 of 3x4
    assert tuple(images[1][1, 2]) == tuple(RDBU[-1])  # dark blue
    assert (images[2] == RDBU[5]).all()


def test_confusion_is_scikit_learns():
    evaluation = example(n=200)
    found = rows(render(evaluation), 'class="confusion"')[1:]
    counts = [[0 if c == "·" else int(c) for c in row[1:]] for row in found]
    expected = confusion_matrix(evaluation.labels, evaluation.predictions)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("n_out, n", [(3, 200), (100, 5000)])
def test_precision_and_recall_are_scikit_learns(n_out, n):
    evaluation = example(n_out=n_out, n=n)
    found = rows(render(evaluation), 'class="rates"')
    assert found[0][1:] == ["precision, %", "recall, %"]
    pair = evaluation.labels, evaluation.predictions
    expected = 100 * np.transpose(precision_recall_fscore_support(*pair)[:2])
    np.testing.assert_allclose(np.array(found[1:], float)[:, 1:], expected, atol=0.051)


def test_share_of_none_is_a_dash():
    """Class 1 is never predicted, of class 2 there is no example."""
    found = rows(render(example(answers=[(0, 0), (0, 2), (1, 0)])), 'class="rates"')
    assert found[1:] == [["0", "50.0", "50.0"], ["1", "–", "0.0"], ["2", "0.0", "–"]]


def test_page_of_many_classes(one_gibibyte):
    evaluation = example(W=np.ones((4, 10**5)))
    words = Reader(render(evaluation)).words
    assert "The confusion table of 100,000 classes would not be readable." in words
    assert "The commonest mistake: " in words and "The first 100 of 100,000" in words


def test_templates_of_many_pixels_are_few(one_gibibyte):
    """Of 100 classes' the colours would take 12 GB."""
    W = np.broadcast_to(np.float32(1), (2**21, 101))
    page = Reader(render(example(W=W, n=3)))
    assert "The first 2 of 101 classes." in page.words


def test_mistakes_are_the_most_confident_first():
    evaluation = example(n=200)
    words = Reader(render(evaluation)).words
    expected = [
        f"{label} read as {prediction}with {100 * p:.1f} %"
        for p, _, label, prediction in mistakes_by_hand(evaluation)[:20]
    ]
    assert "".join(expected) in words.replace("\n", "")


def test_a_model_without_mistakes():
    evaluation = example()
    evaluation.labels[:] = evaluation.predictions
    words = Reader(render(evaluation)).words
    assert "Every test example is classified correctly." in words
    assert "There are none." in words


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_page_holds_the_parameters_bit_for_bit_and_is_small(dtype):
    evaluation = example(n_in=784, n_out=10, n=100)
    evaluation = dataclasses.replace(
        evaluation, W=evaluation.W.astype(dtype), b=evaluation.b.astype(dtype)
    )
    page = render(evaluation)
    data = json.loads(re.search(r'id="model">(.*?)</script>', page, re.S)[1])
    little = np.dtype(dtype).newbyteorder("<")
    W = np.frombuffer(base64.b64decode(data["W"]), dtype=little)
    np.testing.assert_array_equal(W.reshape(784, 10), evaluation.W)
    assert len(page.encode()) < 1_000_000


@pytest.mark.parametrize(
    "n_in, n_out, reason",
    [
        (100, 10, "this model expects 100"),
        (7, 2, "this model expects 7"),
        (784, 150, "150 classes"),
    ],
)
def test_a_model_without_a_pad_says_why(n_in, n_out, reason):
    page = Reader(render(example(n_in=n_in, n_out=n_out, n=400)))
    assert "There is no pad to draw on" in page.words
    assert reason in page.words
    assert not page.all("canvas") and not page.all("script")


def test_images_of_another_scale_have_no_pad():
    evaluation = example(n_in=784)
    evaluation.images[0, 0] = -0.42
    assert "between -0.42 and" in Reader(render(evaluation)).words


def test_nothing_that_a_person_named_becomes_html():
    name = "</script><script>x</script><img src=x onerror=x>\"'&$title"
    evaluation = example(n_in=784, dataset=name, trained_by=name, **{name: name})
    page = render(evaluation, f"python logistic_sgd.py --dataset {name}")
    reader = Reader(page)
    assert len(reader.all("script")) == 2  # the data and the program
    assert all(a["src"].startswith("data:") for a in reader.all("img"))
    assert reader.words.count(name) >= 4


@pytest.mark.parametrize("history", ODD_HISTORIES.values(), ids=ODD_HISTORIES)
def test_curves_of_any_history_lie_in_their_charts(history):
    page = render(dataclasses.replace(example(), history=history))
    assert page.count("<polyline") + page.count("no finite numbers") >= 2
    for points in re.findall(r'points="([^"]*)"', page):
        for x, y in (map(float, point.split(",")) for point in points.split()):
            assert 0 <= x <= 400 and 0 <= y <= 250
    assert not re.search(r'="-?(nan|inf)', page) and len(page) < 100_000
