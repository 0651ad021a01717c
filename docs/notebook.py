"""Make lesson.ipynb from lesson.md with Jupytext, run it, and keep what it prints.

A block under *Try it* becomes a cell, and so does a command, behind an exclamation
mark. What the page shows as their output is left out, because a cell has its own. Lines
of the program stay text. Pictures are copied into the notebook: on a hosted one, links
to files lead nowhere.
"""

import base64
import re
import shutil
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
FOLDED = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
PICTURE = re.compile(r"!\[(.*)\]\((\S+\.(png|svg))\)")
MIME = {"png": "image/png", "svg": "image/svg+xml"}
CELL = "```python\n"
FOLDED_CELL = '```python jupyter={"source_hidden": true}\n'
TEXT = "```python .noeval\n"  # Jupytext's word for code that is only shown
SETUP = """\
## 0. Setup

This is `docs/lesson.md` as a notebook. Its cells are the blocks under *Try it* and the
commands (behind a `!`); run them from top to bottom. The first one goes to the folder
of the scripts, where the notebook was opened in an installed checkout of the project.
On a hosted notebook (Colab and the like) put the address of the repository between the
quotes, and it fetches and installs the project. If you are then asked to restart the
kernel, do so, and run the cell again.

```python
import os
import sys

ADDRESS = ""  # on a hosted notebook: the repository, as `git clone` takes it

if os.path.exists("../logistic_sgd.py"):
    os.chdir("..")
if not os.path.exists("logistic_sgd.py"):
    assert ADDRESS, "Put the address of the repository between the quotes above."
    if not os.path.exists("lesson"):
        !git clone --quiet {ADDRESS} lesson
    os.chdir("lesson")
    %pip install --quiet .
# `!python` below is the Python of this notebook.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
```

"""


def block_of_notebook(block):
    """The match of a fenced block of the page, as Jupytext is to read it."""
    language, kind, lines = block.groups()
    match language:
        case "math":
            return f"$$\n{lines}$$"
        case "console":
            return f"{CELL}!{lines.splitlines()[0].removeprefix('$ ')}\n```"
        case "text":
            return ""
    return f"{CELL if kind.startswith('try it') else TEXT}{lines}```"


def unfolded(details):
    """The match of what the page folds up: a cell is itself folded, instead of held."""
    if CELL not in details[2]:
        return details[0]
    return f"**{details[1]}**{details[2].replace(CELL, FOLDED_CELL)}"


def with_pictures(text):
    """Markdown with its pictures, as definitions at the end."""
    for _, name, kind in PICTURE.findall(text):
        data = base64.b64encode((DOCS / name).read_bytes()).decode()
        text += f"\n\n[{name}]: data:{MIME[kind]};base64,{data}"
    return PICTURE.sub(r"![\1][\2]", text)


def made():
    """The notebook that lesson.md makes: a `nbformat.NotebookNode` without outputs."""
    page = BLOCK.sub(block_of_notebook, (DOCS / "lesson.md").read_text("utf-8"))
    page = FOLDED.sub(unfolded, page).replace("## 1.", f"{SETUP}## 1.", 1)
    notebook = jupytext.reads(page, {"extension": ".md", "split_at_heading": True})
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook.nbformat_minor = 4  # the last without random names of cells
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    for cell in notebook.cells:
        del cell["id"]
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "markdown":
            cell.source = with_pictures(cell.source.replace(TEXT, CELL))
        elif cell.source.splitlines()[-1].startswith("pytensor.dprint("):
            cell.source += ";"  # or its value is shown too, which is the output stream
    return notebook


def execute(notebook, folder):
    """Run all cells in a new kernel, with a copy of the program in `folder`."""
    shutil.copytree(DOCS.parent / "utils", Path(folder, "utils"))
    for name in "logistic_sgd.py", "logistic_cg.py":
        shutil.copy(DOCS.parent / name, folder)
    Path(folder, "docs").mkdir()
    client = NotebookClient(notebook, record_timing=False)
    client.resources = {"metadata": {"path": Path(folder, "docs")}}
    client.coalesce_streams = True  # of a progress bar, what one sees at its end
    client.execute()
    notebook.metadata.language_info = {"name": "python"}  # without its version
    for cell in notebook.cells:
        texts = [output.get("text", "") for output in cell.get("outputs", [])]
        if "".join(texts).count("\n") > 40:
            cell.metadata["scrolled"] = True


if __name__ == "__main__":
    notebook = made()
    with tempfile.TemporaryDirectory() as folder:
        execute(notebook, folder)
    # What a command prints has the ends of lines of a terminal.
    text = nbformat.writes(notebook).replace(r"\r\n", r"\n")
    (DOCS / "lesson.ipynb").write_text(text + "\n", "utf-8")
