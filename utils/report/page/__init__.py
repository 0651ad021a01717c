"""A page on a run and its model: one HTML file that needs no server and no network.

`template.html`, `style.css` and the two scripts are put together with the HTML that
`pad`, `images`, `curves` and `confusion` make of an `Evaluation` or its curves. The
page may load nothing and connect to nothing: its Content-Security-Policy knows its own
style and script by their hashes.
"""

import base64
import hashlib
from html import escape
from pathlib import Path
from string import Template

from utils.report.evaluation import Evaluation
from utils.report.page.confusion import confusion
from utils.report.page.curves import learning_curves
from utils.report.page.images import mistakes, templates
from utils.report.page.pad import pad, subject_of
from utils.text import shown

FOLDER = Path(__file__).parent

# Metadata that the page shows in its head, or in a row of their own.
SHOWN_APART = {"validation_error", "test_error", "versions", "class_names"}
NAMES = {
    "n_in": "pixels",
    "n_out": "classes",
    "python": "Python",
    "numpy": "NumPy",
    "pytensor": "PyTensor",
}


def render(evaluation: Evaluation, command: str, backend: str = "auto") -> str:
    """The page of a run.

    Parameters
    ----------
    evaluation : utils.report.evaluation.Evaluation
    command : str
        The command line of the run, as it is to be shown.
    backend : str
        The backend that the run's functions were compiled for. Default "auto".

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
    dataset = metadata["dataset"]
    model = evaluation.model_class.replace("LogisticRegression", "Logistic regression")
    pad_html, has_pad = pad(evaluation)
    script = reader + drawing if has_pad else ""
    return Template(page).substitute(
        policy=_policy(style, script),
        style=style,
        script=f"<script>{script}</script>" if script else "",
        title=_text(f"{model} on {Path(dataset).name or dataset}"),
        trained_by=_text(metadata["trained_by"]),
        key_figures=_key_figures(evaluation),
        pad=pad_html,
        subject=subject_of(evaluation),
        templates=templates(evaluation),
        curves=learning_curves(evaluation.curves),
        confusion=confusion(evaluation),
        mistakes=mistakes(evaluation),
        command=_text(command),
        facts=_facts(metadata, backend),
    )


def _text(value):
    """Text from outside, as HTML."""
    return escape(shown(value))


def _policy(style, script):
    """The Content-Security-Policy: the page may show itself, and nothing else."""

    def source(text):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'" if text else "'none'"

    return (
        f"default-src 'none'; img-src data:; style-src {source(style)}; "
        f"script-src {source(script)}; base-uri 'none'; form-action 'none'"
    )


def _key_figures(evaluation):
    """The run's errors, as the tutorial prints them, and the error over all tests."""
    metadata, curves = evaluation.metadata, evaluation.curves
    n, n_wrong = len(evaluation.labels), len(evaluation.mistakes)
    n_counted = evaluation.n_in_minibatches
    # Why the tutorial's test error is not that over all test examples.
    counted = "" if n_counted == n else f"of the {n_counted:,} in full minibatches"
    wrong = f"{n_wrong:,} of {n:,} are wrong"
    training = f"of {len(curves.x):,} validations, in {curves.seconds:.1f}\u00a0s"
    figures = [
        ("validation error", f"{metadata['validation_error'] * 100:f} %", ""),
        ("test error", f"{metadata['test_error'] * 100:f} %", counted),
        ("error over all tests", f"{n_wrong / n * 100:.2f} %", wrong),
        (curves.saved_name, curves.saved_at, training),
    ]
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"<small>{escape(remark)}</small></dd></div>"
        for name, value, remark in figures
    )


def _facts(metadata, backend):
    """The rest of the metadata, as the rows of a table."""
    facts = {
        NAMES.get(name, name.replace("_", " ")): value
        for name, value in metadata.items()
        if name not in SHOWN_APART
    }
    facts["backend"] = backend
    facts |= {NAMES.get(name, name): v for name, v in metadata["versions"].items()}
    return "\n".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
