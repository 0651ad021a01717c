"""A script of which a reader has changed some lines."""

import importlib.util
import itertools
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_numbers = itertools.count()


def documented_changes():
    """The changes of docs/changing.md: ``{heading: [(old, new), ...]}``."""
    page = (REPOSITORY / "docs" / "changing.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:]
    return {
        heading: [
            hunk
            for diff in re.findall(r"^```diff\n(.*?)^```$", text, re.M | re.S)
            for hunk in _hunks(diff)
        ]
        for heading, text in zip(sections[::2], sections[1::2], strict=True)
        if "```diff" in text
    }


def _hunks(diff):
    """The (old, new) lines of each part of a diff that begins with ``@@``."""
    for part in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = [line or " " for line in part.splitlines()]
        assert all(line[0] in " +-" for line in lines), part
        yield tuple(
            "".join(f"{line[1:]}\n" for line in lines if line[0] in signs)
            for signs in (" -", " +")
        )


def changed_text(*changes, script="logistic_sgd.py"):
    """The text of a script with changes: ``(old, new)``; `old` stands in it once."""
    text = (REPOSITORY / script).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def changed_script(folder, *changes, script="logistic_sgd.py"):
    """Write a changed copy of a script, and import it.

    Parameters
    ----------
    folder : pathlib.Path
    changes : tuples of str
        See `changed_text`.
    script : str

    Returns
    -------
    module
    """
    name = f"changed_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(changed_text(*changes, script=script), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
