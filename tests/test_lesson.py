"""The lesson's excerpts are the program's lines; outputs, there, in its notebook and in
the exercises, those of runs. `tests/long/test_lesson.py` runs what needs MNIST."""

import contextlib
import io
import itertools
import json
import re
import runpy
import shutil
from typing import NamedTuple

import pytest
from processes import REPOSITORY, published_rows
from pytensor import config

LESSON = REPOSITORY / "docs" / "lesson.md"
NOTEBOOK = LESSON.with_suffix(".ipynb")
EXERCISES = REPOSITORY / "docs" / "exercises.md"
LEFT_OUT = "⋮"


class Block(NamedTuple):
    """A fenced block: what stands behind its first fence, its lines, and where."""

    info: str
    lines: list
    line_number: int

    def __str__(self):
        return f"{self.info.replace(' ', '-')}-at-{self.line_number}"


def blocks(page):
    found, block = [], None
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if block is None and line.startswith("```"):
            block = Block(line[3:], [], number)
        elif line == "```":
            found.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
    return found


BLOCKS = blocks(LESSON)
EXPERIMENTS = "python try it", "python try it on MNIST"
DRAWING = "python with Graphviz"
EXCERPTS = [
    b
    for b in BLOCKS
    if b.info.startswith("python") and b.info not in (*EXPERIMENTS, DRAWING)
]


def chunks(lines):
    """The runs of lines between those that say that some were left out."""
    result = [[]]
    for line in lines:
        if line.strip() == LEFT_OUT:
            result.append([])
        else:
            result[-1].append(line)
    return result


def position_after(chunk, lines, start):
    """Where the first occurrence of `chunk` in `lines` from `start` ends, or None."""
    for first in range(start, len(lines) - len(chunk) + 1):
        if lines[first : first + len(chunk)] == chunk:
            return first + len(chunk)
    return None


def stands_in(shown, lines):
    """Whether the chunks of `shown` stand in `lines` one after another."""
    end = 0
    for chunk in chunks(shown):
        end = position_after(chunk, lines, end)
        if end is None:
            return False
    return True


def is_output(shown, lines):
    """Whether `shown` is all of `lines`, but for what it says it leaves out."""
    first, *rest = chunks(shown)
    if not rest:
        return first == lines
    ends = lines[-len(rest[-1]) :] if rest[-1] else []
    return stands_in(shown, lines) and lines[: len(first)] == first and ends == rest[-1]


@pytest.mark.parametrize("block", EXCERPTS, ids=str)
def test_excerpt_is_lines_of_the_program(block):
    """Shifted to the left as a whole, by as much as a method or a loop is indented."""
    file = REPOSITORY / block.info.removeprefix("python ")
    lines = file.read_text("utf-8").splitlines()
    shifted = [
        [" " * by + line if line else line for line in block.lines]
        for by in range(0, 16, 4)
    ]
    assert any(stands_in(shown, lines) for shown in shifted)


def test_a_changed_line_would_be_found():
    lines = ["a", "    b", "c", "d"]
    assert stands_in(["a", "    b", LEFT_OUT, "d"], lines)
    assert not stands_in(["a", "c"], lines)
    assert not stands_in(["d", LEFT_OUT, "a"], lines)
    assert not stands_in(["b"], lines)
    assert is_output(["a", LEFT_OUT, "d"], lines)
    assert not is_output(["a", LEFT_OUT, "c"], lines)
    assert not is_output(["a"], lines) and not is_output([LEFT_OUT, "e"], lines)
    assert not is_output(["a"], ["a", "b", "a"]) and not is_output([], lines)


both_pages = pytest.mark.parametrize(
    "page", [LESSON, EXERCISES], ids=lambda page: page.stem
)


@both_pages
def test_every_block_is_of_a_kind_that_is_tested(page):
    for before, block in itertools.pairwise([None, *blocks(page)]):
        if block.info == "text":
            assert before.info in EXPERIMENTS, block
        else:
            kinds = *EXPERIMENTS, DRAWING, "console", "math"
            assert block in EXCERPTS or block.info in kinds


@both_pages
def test_experiments_print_what_is_shown(page):
    """In one session, as a reader does; on a machine without MNIST too."""
    session = {"__name__": "lesson"}
    for block, after in itertools.pairwise([*blocks(page), None]):
        if block.info == "python try it":
            # To compile a graph as it was written, node by node, takes long.
            written = any('Mode("vm"' in line for line in block.lines)
            python = {"cxx": "", "linker": "py"} if written else {}
            with config.change_flags(**python):
                printed = run_block(block, session)
            assert printed == (after.lines if after.info == "text" else []), block


def run_block(block, session):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n".join(block.lines), str(block), "exec"), session)
    return printed.getvalue().splitlines()


def printed_by(cell):
    """The lines under a cell of the notebook, without times."""
    text = "".join(
        "".join(output["text"] if "text" in output else output["data"]["text/plain"])
        for output in cell["outputs"]
    )
    return without_times(text.splitlines())


def without_times(lines):
    pattern = r"\d+\.\d+(?= (?:epochs|steps)/sec)|(?<=ran for )\d+\.\d+|0x[0-9a-f]+"
    return [re.sub(pattern, "#", line) for line in lines]


def test_notebook_runs_what_is_shown_and_prints_it():
    """Its outputs are those of a run on MNIST."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    setup, *cells = (c for c in notebook["cells"] if c["cell_type"] == "code")
    assert printed_by(setup) == []
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block.info == "console":
            command, *shown = block.lines
            cell = cells.pop(0)
            assert "".join(cell["source"]) == command.replace("$ ", "!", 1)
            assert is_output(without_times(shown), printed_by(cell)), block
        elif block.info in EXPERIMENTS:
            cell = cells.pop(0)
            assert "".join(cell["source"]).rstrip(";").splitlines() == block.lines
            shown = after.lines if after.info == "text" else []
            assert printed_by(cell) == shown, block
    assert cells == []


def test_notebook_is_what_the_lesson_makes():
    for package in "jupytext", "nbclient":
        pytest.importorskip(package, reason="needs the extra `docs`")
    import nbformat

    made = runpy.run_path(str(LESSON.with_name("notebook.py")))["made"]()
    kept = nbformat.read(NOTEBOOK, as_version=4)
    for cell, other in zip(made.cells, kept.cells, strict=True):
        assert cell.source == other.source, "`make notebook` is due"
    assert NOTEBOOK.stat().st_size < 500_000


def test_graphs_of_the_readers_own_are_drawn(tmp_path, monkeypatch):
    pytest.importorskip("pydot", reason="needs the extra `graph`")
    if shutil.which("dot") is None:
        pytest.skip("needs Graphviz (Debian: apt install graphviz)")
    monkeypatch.chdir(tmp_path)
    session = {}
    first = next(block for block in BLOCKS if block.info in EXPERIMENTS)
    (drawing,) = (block for block in BLOCKS if block.info == DRAWING)
    for block in first, drawing:
        run_block(block, session)
    written, compiled = (
        re.findall("<text[^>]*>([^<]+)", (tmp_path / f"{name}.svg").read_text("utf-8"))
        for name in ("written", "compiled")
    )
    assert "a" in written and "a" in compiled
    assert "Pow" in written and "Pow" not in compiled  # a**2 becomes a * a


def test_epochs_are_those_of_the_original_program():
    published = {int(row["epoch"]): row for row in published_rows("sgd_mnist.csv")}
    column = {
        "validation error": "validation_error_percent",
        "test error of best model": "test_error_of_best_model_percent",
    }
    pattern = rf"epoch (\d+), minibatch 83/83, ({'|'.join(column)}) (\S+) %"
    shown = re.findall(pattern, LESSON.read_text("utf-8"))
    assert len(shown) == 6
    for epoch, what, percent in shown:
        assert published[int(epoch)][column[what]] == percent


@both_pages
def test_formulas_survive_markdown(page):
    """GitHub reads Markdown first, within ``$``: it drops some backslashes there,
    and takes an underscore after punctuation for emphasis."""
    in_blocks, text = False, []
    for line in page.read_text("utf-8").splitlines():
        in_blocks ^= line.startswith("```")
        text.append("" if in_blocks else re.sub("`[^`]*`", "", line))
    inline = re.findall(r"\$([^$]+)\$(.?)", "\n".join(text))
    assert len(inline) > 10
    for formula, after in inline:
        assert not re.search(r"\\[^a-zA-Z]|[^a-zA-Z0-9]_|[|*<]|\n", formula), formula
        assert not after.isalnum() and formula == formula.strip(), formula


def test_linked_files_are_there_and_pictures_small():
    for page in (*REPOSITORY.glob("*.md"), *LESSON.parent.glob("*.md")):
        targets = re.findall(r"\]\(([^):#]+)[)#]", page.read_text("utf-8"))
        files = [page.parent / target for target in targets]
        assert all(file.is_file() for file in files), page
        pictures = [file for file in files if file.suffix == ".png"]
        assert pictures or page.name not in ("lesson.md", "README.md")
        for file in pictures:
            assert file.read_bytes().startswith(b"\x89PNG"), file
            assert file.stat().st_size < 150_000, file
