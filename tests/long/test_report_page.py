"""The page's pad in a real browser: drawing, prediction and explanation."""

import dataclasses

import numpy as np
import pytest
from browsing import (
    PHONE,
    browser,
    draw,
    made_up,
    needs_chromium,
    reading,
    sample,
    shares,
    show,
    trained,
)
from scipy.special import softmax

from utils.digit_image import fit

__all__ = ["browser", "made_up", "show", "trained"]
pytestmark = needs_chromium


@pytest.mark.parametrize(
    "label, strokes",
    [
        (1, [[(0.52, 0.15), (0.5, 0.85)]]),
        (7, [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]]),
        (
            0,
            [
                [
                    (0.5 + 0.22 * np.cos(angle), 0.5 + 0.32 * np.sin(angle))
                    for angle in np.linspace(0, 2 * np.pi, 24)
                ]
            ],
        ),
    ],
)
def test_drawn_strokes_are_read(show, trained, label, strokes):
    page = show(trained)
    for stroke in strokes:
        draw(page, *stroke)
    assert reading(page).startswith(f"It reads {label} with ")
    assert np.argmax(shares(page)) == label


def test_a_finger_draws_too(show, trained):
    page = show(trained, viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert reading(page).startswith("It reads ")


def test_probabilities_are_pythons_on_test_images(show, trained):
    page = show(trained)
    found = page.evaluate(
        "images => images.map(window.pad.probabilities)",
        trained.scaled(slice(100)).tolist(),
    )
    np.testing.assert_allclose(found, trained.probabilities[:100], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_are_softmax(show, made_up, dtype):
    W, b = made_up.W.astype(dtype), np.linspace(-1, 1, 10).astype(dtype)
    page = show(dataclasses.replace(made_up, W=W, b=b))
    found = page.evaluate(
        "images => images.map(window.pad.probabilities)", made_up.images.tolist()
    )
    expected = softmax(made_up.images @ W.astype(float) + b.astype(float), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def strokes():
    """Bars, rings, dots and noise, in sizes odd and even, some at the very edge."""
    rng = np.random.default_rng(6)
    for height, width in [(28, 28), (57, 40), (100, 301), (9, 9), (280, 280)]:
        y, x = np.mgrid[:height, :width]
        yield np.where(abs(x - width / 2) < width / 9, 255, 0)
        yield np.where(y < max(2, height // 8), 200, 0)
        radius = np.hypot(y - height * 0.4, x - width * 0.5) / min(height, width)
        yield np.clip(3000 * (0.05 - abs(radius - 0.3)), 0, 255).round()
        yield np.where((y == height - 1) & (x == 0), 1, 0)
        yield rng.integers(0, 256, (height, width)) * (
            rng.random((height, width)) < 0.1
        )


def test_preprocessing_is_pythons(show, made_up):
    page = show(made_up)
    for ink in strokes():
        height, width = ink.shape
        found = page.evaluate(
            "([ink, w, h]) => Array.from(window.pad.preprocess(ink, w, h))",
            [ink.ravel().tolist(), width, height],
        )
        np.testing.assert_allclose(found, fit(ink).ravel(), atol=1e-12)


def test_what_is_drawn_is_read_as_python_reads_it(show, made_up):
    page = show(made_up)
    draw(page, (0.2, 0.3), (0.6, 0.25), (0.4, 0.8))
    draw(page, (0.3, 0.55), (0.7, 0.5))
    alpha = page.evaluate(
        """() => {
            const { width, height } = document.getElementById("pad");
            const data = document.getElementById("pad").getContext("2d")
                .getImageData(0, 0, width, height).data;
            return Array.from(data.filter((_, i) => i % 4 === 3));
        }"""
    )
    ink = np.reshape(alpha, (560, 560))
    assert ink.max() == 255
    expected = softmax(fit(ink).ravel() @ made_up.W + made_up.b)
    np.testing.assert_allclose(shares(page), expected, atol=6e-4)


def test_pointing_at_a_class_tells_what_spoke_for_it(show, made_up):
    page = show(made_up)
    page.locator("#samples button").nth(4).click()
    index = sample(made_up, 4)
    pixels = np.minimum(np.rint(made_up.images[index] * 256), 255) / 256
    evidence = pixels * made_up.W[:, 3]
    page.locator("#classes label").nth(3).hover()
    told = page.inner_text("#why").replace("−", "-")
    for part in (evidence[evidence > 0], evidence[evidence < 0], evidence):
        assert f"{part.sum():+.1f}" in told
    assert told.startswith("Class 3:")
    colours = np.reshape(
        page.evaluate(
            """() => Array.from(document.getElementById("evidence").getContext("2d")
                .getImageData(0, 0, 28, 28).data)"""
        ),
        (784, 4),
    )
    strong = (np.abs(evidence) > 0.5 * np.abs(evidence).max()) & (pixels > 0.5)
    bluer = colours[:, 2] > colours[:, 0]
    np.testing.assert_array_equal(bluer[strong], evidence[strong] > 0)
