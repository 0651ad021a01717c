"""A page on a run and its model: one HTML file that needs no server and no network.

`template.html`, `style.css` and the two scripts are put together with what `charts`,
`templates`, `answers` and `pad` make of a run. The page may load nothing and connect to
nothing: its Content-Security-Policy knows its own style and script by their hashes.
"""

import base64
import hashlib
from html import escape
from pathlib import Path
from string import Template

from utils.report.page.answers import confusion, mistakes
from utils.report.page.charts import learning_curves
from utils.report.page.pad import pad
from utils.report.page.templates import templates

__all__ = ["render"]

FOLDER = Path(__file__).parent

# Of a model's metadata, what the page's head shows as figures already.
SHOWN_ABOVE = {"validation_error", "test_error", "epoch", "versions"}
NAMES = {
    "n_in": "pixels",
    "n_out": "classes",
    "python": "Python",
    "numpy": "NumPy",
    "pytensor": "PyTensor",
}


def render(evaluation, command, backend="auto"):
    """The page of a run.

    Parameters
    ----------
    evaluation : utils.report.evaluation.Evaluation
        The run's best model, its history, and its answers to all test examples.
    command : str
        The command line of the run, as it is to be shown.
    backend : str
        What the functions were compiled for. Default "auto".

    Returns
    -------
    str
        HTML; to be written as UTF-8. Below 1 MB for ten classes of MNIST's size.
    """
    style, reader, drawing, page = (
        (FOLDER / name).read_text(encoding="utf-8")
        for name in ("style.css", "reader.js", "pad.js", "template.html")
    )
    metadata = evaluation.metadata
    dataset = str(metadata.get("dataset", "a dataset"))
    pad_html, has_pad = pad(evaluation)
    script = reader + drawing if has_pad else ""
    return Template(page).substitute(
        policy=_policy(style, script),
        style=style,
        script=f"<script>{script}</script>" if script else "",
        title=escape(f"Logistic regression on {Path(dataset).name or dataset}"),
        lede=_lede(metadata),
        key_figures=_key_figures(evaluation),
        pad=pad_html,
        templates=templates(evaluation.W),
        curves=learning_curves(evaluation.history, metadata.get("trained_by", "")),
        confusion=confusion(evaluation.labels, evaluation.probabilities),
        mistakes=mistakes(
            evaluation.images, evaluation.labels, evaluation.probabilities
        ),
        command=escape(command),
        facts=_facts(metadata, backend),
    )


def _policy(style, script):
    """What the page may do: show itself. A change of either file changes its hash."""

    def source(text):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'" if text else "'none'"

    return (
        f"default-src 'none'; img-src data:; style-src {source(style)}; "
        f"script-src {source(script)}; base-uri 'none'; form-action 'none'"
    )


def _lede(metadata):
    trained_by = escape(str(metadata.get("trained_by", "an unknown method")))
    return f"A softmax classifier, trained by {trained_by}."


def _key_figures(evaluation):
    """The run's figures, as the tutorial prints them, and the error over all tests."""
    metadata, history = evaluation.metadata, evaluation.history
    n = len(evaluation.labels)
    wrong = int((evaluation.probabilities.argmax(axis=1) != evaluation.labels).sum())
    unit = "iteration" if "conjugate" in str(metadata.get("trained_by")) else "epoch"
    figures = [
        ("validation error", _percent(metadata.get("validation_error")), ""),
        ("test error", _percent(metadata.get("test_error")), _counted(metadata, n)),
        (
            "error over all tests",
            f"{wrong / n * 100:.2f} %",
            f"{wrong:,} of {n:,} are wrong",
        ),
        (
            "latest step" if "step" in metadata else f"best {unit}",
            str(metadata.get("step", metadata.get("epoch", "–"))),
            f"of {len(history):,} validations, in {history[-1][5]:.1f}\u00a0s",
        ),
    ]
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"<small>{escape(remark)}</small></dd></div>"
        for name, value, remark in figures
    )


def _percent(fraction):
    return "–" if fraction is None else f"{fraction * 100:f} %"


def _counted(metadata, n):
    """Why the tutorial's test error is not that over all test examples."""
    batch_size = metadata.get("batch_size")
    if not batch_size or n % batch_size == 0:
        return ""
    return f"of the {n // batch_size * batch_size:,} in full minibatches"


def _facts(metadata, backend):
    """What else is known of the run, as the rows of a table."""
    facts = {
        NAMES.get(name, name.replace("_", " ")): value
        for name, value in metadata.items()
        if name not in SHOWN_ABOVE
    }
    facts["backend"] = backend
    for name, version in metadata.get("versions", {}).items():
        facts[NAMES.get(name, name)] = version
    return "\n".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        f"<td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
    )
