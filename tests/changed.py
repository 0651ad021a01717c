"""A script of which a reader has changed some lines."""

import importlib.util
import itertools
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_numbers = itertools.count()


def changed_script(folder, *changes, script="logistic_sgd.py"):
    """Write a changed copy of a script, and import it.

    Parameters
    ----------
    folder : pathlib.Path
    changes : tuples of str
        ``(old, new)``; `old` stands in the script once.
    script : str

    Returns
    -------
    module
    """
    text = (REPOSITORY / script).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    name = f"changed_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
