"""The report opened in Debian's or another Chromium, for the tests of the page."""

import dataclasses
import os
import shutil

import pytest
from drawn import example

from utils.report import page as report
from utils.report.evaluation import evaluate

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the extra `browser`"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])),
    None,
)
needs_chromium = pytest.mark.skipif(
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
    read = evaluation.probabilities.argmax(axis=1)
    examples = [i for i, found in enumerate(evaluation.labels) if found == label]
    return next((i for i in examples if read[i] == label), examples[0])


def reading(page):
    return page.inner_text("#reading").replace("\u00a0", " ")


def shares(page):
    texts = page.locator("#classes .share").all_inner_texts()
    return [float(text.split()[0]) / 100 for text in texts]
