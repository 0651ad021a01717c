"""The page for everybody: keyboard, names, contrast, a phone; and no connection."""

import dataclasses

import numpy as np
import pytest
from browsing import (
    PHONE,
    browser,
    made_up,
    needs_chromium,
    reading,
    sample,
    shares,
    show,
    trained,
)
from drawn import example

__all__ = ["browser", "made_up", "show", "trained"]
pytestmark = needs_chromium


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
    np.testing.assert_allclose(shares(page), trained.probabilities[index], atol=6e-4)
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
    assert len(names) == 1 + 1 + 10 + 10 + 1  # pad, Clear, samples, classes, table
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


def test_hostile_names_stay_words(show, made_up):
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    metadata = {**made_up.metadata, "trained_by": name, "dataset": f"{name}/x"}
    page = show(dataclasses.replace(made_up, metadata=metadata))
    assert name in page.inner_text(".lede")
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("typeof window.pad.preprocess") == "function"
