"""Names of classes: of the dataset, kept in the model, printed, drawn, on the page."""

import re

import numpy as np
import pytest
from drawn import example, words
from small_files import model_bytes, write_idx

import logistic_sgd
from utils import datasets
from utils.datasets import published
from utils.report import page
from utils.training.class_names import class_names

# As the table of Fashion-MNIST's README has them.
FASHION = "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag".split()
FASHION.append("Ankle boot")


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """A small Fashion-MNIST in the place of the real one: its labels in turn."""
    rng = np.random.default_rng(3)
    labels = np.arange(120, dtype="uint8") % 10
    images = rng.integers(0, 256, (120, 28, 28)).astype("uint8")
    folder = tmp_path / "data" / "fashion_mnist"
    folder.parent.mkdir()
    write_idx(folder, (images, labels, images[:40], labels[:40]), ".gz")
    monkeypatch.setattr(published, "_DATA", tmp_path / "data")
    monkeypatch.setattr(
        published.Published, "missing", lambda _, where: where != str(folder)
    )
    monkeypatch.chdir(tmp_path)
    return folder


def test_fashion_mnist_trains_and_predicts_by_name(fashion, by_python, capsys):
    script = ["--dataset", "fashion_mnist", "--n-epochs", "1", "--batch-size", "20"]
    assert logistic_sgd.main([*script, "--report", "r.html"]) == 0
    assert all(f"Weights of class {name}" in open("r.html").read() for name in FASHION)
    capsys.readouterr()
    assert logistic_sgd.main(["--predict"]) == 0
    found = capsys.readouterr().out.splitlines()[1]
    numbers, names = re.fullmatch(r"\[(.*)\] (.*)", found).groups()
    assert names == ", ".join(FASHION[int(n)] for n in numbers.split())


def test_a_saved_model_names_a_picture_without_its_dataset(tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")
    W = np.zeros((784, 10), "f4")
    W[:, 9], W[:, 7] = 0.1, 0.05
    metadata = {"dataset": "fashion_mnist", "class_names": FASHION}
    (tmp_path / "m.pkl").write_bytes(model_bytes(W, metadata))
    picture = np.full((60, 90), 255, "uint8")
    picture[20:40, 20:70] = 0
    Image.fromarray(picture).save(tmp_path / "boot.png")
    logistic_sgd.predict_digits([tmp_path / "boot.png"], tmp_path / "m.pkl")
    assert re.search(
        r"boot.png: Ankle boot \(Ankle boot: .*, Sneaker: ", capsys.readouterr().out
    )


def test_page_and_pictures_have_the_names():
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    from utils.report import figures

    evaluation = example(n_in=784, n_out=10, n=300, class_names=FASHION)
    html, pictures = (
        page.render(evaluation, "python logistic_sgd.py"),
        figures.draw(evaluation),
    )
    label, prediction = (FASHION[c] for c in evaluation.commonest_confusion)
    assert (
        f"{label} is read as {prediction}, " in html
        and '"names": ["T-shirt/top"' in html
    )
    for name in FASHION:
        assert (
            f'<th scope="row">{name}</th>' in html
            and f'<th scope="col">{name}</th>' in html
        )
        assert all(name in words(pictures[kind]) for kind in ("weights", "confusion"))
    first = evaluation.mistakes[0]
    assert f"label {FASHION[evaluation.labels[first]]},\n" in words(
        pictures["mistakes"]
    )


@pytest.mark.parametrize(
    "names",
    [5, "ab", ["a"], ["a", 1], ["a", "<b>"], ["a", "$x$"], ["a", "\x1b[1m"], ["a", ""]],
)
def test_names_that_no_dataset_has_are_numbers(names):
    """A model file may be a stranger's."""
    assert class_names({"n_out": 2, "class_names": names}) == range(2)


def test_mnist_and_others_have_numbers(tmp_path, tiny_npz, by_python):
    for name in ("mnist.pkl.gz", "digits", str(tiny_npz)):
        assert datasets.class_names(name) == ()
    assert class_names({"n_out": 3}) == range(3)
