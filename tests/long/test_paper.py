"""Digits on paper of all kinds, read by a model that was trained on MNIST."""

import numpy as np
import paper
import pytest

from utils.digit_image import read_all

Image = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")


@pytest.fixture(scope="module")
def known(mnist_folder, trained_on_mnist):
    return paper.examples(trained_on_mnist.model, mnist_folder)


@pytest.mark.parametrize("kind", paper.KINDS)
def test_digits_on_paper_are_read(kind, known, tmp_path):
    """Of digits that the model is sure of, four in five at least."""
    right, _ = paper.count(kind, *known, tmp_path, n=10)
    assert right >= 8


@pytest.mark.parametrize("kind", ["plain, photographed", "squares, photographed"])
def test_two_digits_in_a_picture_are_told(kind, known, tmp_path):
    rng = np.random.default_rng(8)
    told = 0
    for n in range(10):
        options = paper.KINDS[kind] | {"share": (0.15, 0.22)}  # both in sight
        page = paper.picture(known[0][2 * n : 2 * n + 2], rng, **options)
        Image.fromarray(page).save(tmp_path / "two.png")
        for digit in read_all([tmp_path / "two.png"])[0]:
            told += any("pieces of ink lie apart" in doubt for doubt in digit.doubts)
    assert told >= 7
