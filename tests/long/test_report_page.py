"""The report in Debian's or another Chromium: its pad, and access for everybody."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from drawn import example
from scipy.special import softmax

from utils.digit_image import fit, frame_of
from utils.report import page as report
from utils.report.evaluation import evaluate

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the extra `browser`"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])),
    None,
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)"
)
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser():
    # In a container's root account Chromium has no sandbox; it opens files of ours.
    sandbox = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*sandbox, "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open the report of an evaluation; at the end nobody has complained."""
    contexts, complaints = [], []

    def call(evaluation, **options):
        context = browser.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        path = tmp_path / "report.html"
        path.write_text(report.render(evaluation, "python logistic_sgd.py"), "utf-8")
        page.goto(path.as_uri())
        return page

    requests = []
    call.complaints = complaints
    yield call
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="module")
def made_up():
    evaluation = example(n_in=784, n_out=10, n=100, dataset="made-up")
    return dataclasses.replace(evaluation, W=evaluation.W / 20)


@pytest.fixture(scope="module")
def trained(trained_on_mnist):
    return evaluate(trained_on_mnist)


def draw(page, *places):
    """Draw a stroke through places, given as fractions of the pad."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    for i, (x, y) in enumerate(places):
        place = box["x"] + x * box["width"], box["y"] + y * box["height"]
        page.mouse.move(*place, steps=4 if i else 1)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def sample(evaluation, label):
    """The test example behind a label's button: the first classified correctly."""
    read = evaluation.predictions
    examples = [i for i, found in enumerate(evaluation.labels) if found == label]
    return next((i for i in examples if read[i] == label), examples[0])


def reading(page):
    return page.inner_text("#reading").replace("\u00a0", " ")


def shares(page):
    texts = page.locator("#classes .share").all_inner_texts()
    return [float(text.split()[0]) / 100 for text in texts]


# The pad: drawing, prediction and explanation


def test_a_finger_draws_too(show, trained):
    page = show(trained, viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert reading(page).startswith("It reads ")


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


@pytest.mark.parametrize(
    "n_in, dataset", [(784, "made-up"), (784, "fashion_mnist"), (64, "digits")]
)
def test_preprocessing_is_pythons(show, n_in, dataset):
    page = show(example(n_in=n_in, n_out=10, n=100, dataset=dataset))
    frame = frame_of(n_in, dataset)
    for ink in strokes():
        height, width = ink.shape
        # As text, for numbers are handed over one by one, slowly.
        found = page.evaluate(
            """([ink, w, h]) => {
                const numbers = Array.from(ink, letter => letter.charCodeAt(0));
                return Array.from(window.pad.preprocess(numbers, w, h));
            }""",
            [bytes(ink.astype("u1").ravel()).decode("latin1"), width, height],
        )
        np.testing.assert_allclose(found, fit(ink, frame).ravel(), atol=1e-12)


def test_what_is_drawn_is_read_as_python_reads_it(show, made_up):
    page = show(made_up)
    draw(page, (0.2, 0.3), (0.6, 0.25), (0.4, 0.8))
    draw(page, (0.3, 0.55), (0.7, 0.5))
    alpha = page.evaluate(
        """() => {
            const { width, height } = document.getElementById("pad");
            const data = document.getElementById("pad").getContext("2d")
                .getImageData(0, 0, width, height).data;
            const alpha = Array.from(data.filter((_, i) => i % 4 === 3));
            return alpha.map(value => String.fromCharCode(value)).join("");
        }"""
    )
    ink = np.reshape([*alpha.encode("latin1")], (560, 560))
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


# Keyboard, names, contrast, a phone; and no connection


def test_keyboard_draws_chooses_loads_and_clears(show, trained):
    page = show(trained)
    page.focus("#pad")
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert reading(page).startswith("Pen lifted. It reads 1 with ")
    page.locator("#classes input").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#why").startswith("Class 1:")
    page.focus("#pad")
    page.keyboard.press("Delete")
    assert reading(page).startswith("Draw a digit")
    assert page.locator("#classes input:checked").count() == 0
    page.locator("#samples button").nth(5).focus()
    page.keyboard.press("Enter")
    index = sample(trained, 5)
    expected = softmax(trained.scaled(index) @ trained.W + trained.b)
    np.testing.assert_allclose(shares(page), expected, atol=6e-4)
    page.focus("#clear")
    page.keyboard.press("Enter")
    assert reading(page).startswith("Draw a digit")


def test_every_control_can_be_reached_and_has_a_name(show, made_up):
    page = show(made_up)
    names = page.evaluate(
        """() => Array.from(document.querySelectorAll("button, input, [tabindex]"),
            e => [e.tabIndex,
                e.ariaLabel || e.labels?.[0]?.innerText || e.innerText])"""
    )
    assert len(names) == 1 + 1 + 10 + 10 + 2  # pad, Clear, samples, classes, tables
    assert all(index == 0 and name.strip() for index, name in names)
    assert page.get_attribute("#reading", "role") == "status"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_words(show, made_up, scheme):
    """At least 4.5 to 1, which WCAG 2.2 asks for at level AA (1.4.3)."""
    page = show(made_up, color_scheme=scheme)
    names = ["--page", "--card", "--accent-soft", "--text", "--quiet"]
    colours = page.evaluate(
        """names => names.map(name => getComputedStyle(document.documentElement)
            .getPropertyValue(name).trim())""",
        names,
    )

    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    *grounds, text, quiet = map(luminance, colours)
    assert (text > 0.5) == (scheme == "dark")
    for ground, word in [(g, text) for g in grounds] + [
        (g, quiet) for g in grounds[:2]
    ]:
        light, dark = max(ground, word), min(ground, word)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("width, height", [(360, 640), (390, 844)])
@pytest.mark.parametrize("name", ["mnist.pkl.gz", "a-set-with-quite-a-long-name.npz"])
def test_pad_is_seen_on_a_phone_without_scrolling(show, made_up, name, width, height):
    metadata = made_up.metadata | {"dataset": name}
    evaluation = dataclasses.replace(made_up, metadata=metadata)
    viewport = {"width": width, "height": height}
    page = show(evaluation, viewport=viewport, has_touch=True, is_mobile=True)
    assert page.evaluate("window.scrollY") == 0
    box = page.locator("#pad").bounding_box()
    # A browser's own bars take up to 100 pixels of a phone.
    assert 0 <= box["x"] and box["x"] + box["width"] <= width
    assert 0 <= box["y"] and box["y"] + box["height"] <= height - 100
    assert min(box["width"], box["height"]) >= 250  # large enough for a finger
    # The run's errors are still there, below.
    assert page.locator(".figures").bounding_box()["y"] > box["y"]


@pytest.mark.parametrize("n_in", [784, 64])
def test_no_sideways_scrolling_on_a_phone(show, made_up, n_in):
    name = "a-very-long-name-of-a-dataset-without-any-break" * 3
    evaluation = made_up if n_in == 784 else example(n_in=n_in, n_out=10, n=2000)
    evaluation.metadata["dataset"] = name
    page = show(evaluation, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    evaluation.metadata["dataset"] = "made-up"


def test_the_page_may_not_connect(show, made_up):
    page = show(made_up)
    directive = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener(
                "securitypolicyviolation", e => resolve(e.effectiveDirective));
            fetch("http://127.0.0.1:9/").catch(() => {});
        })"""
    )
    assert directive == "connect-src"
    assert all("Content Security Policy" in text for text in show.complaints)
    show.complaints.clear()
