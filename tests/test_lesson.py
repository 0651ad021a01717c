"""The lesson's excerpts are the program's lines; outputs, there and in the exercises,
those of runs."""

import contextlib
import io
import itertools
import re
from typing import NamedTuple

import pytest
from processes import REPOSITORY, published_rows

LESSON = REPOSITORY / "docs" / "lesson.md"
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
EXCERPTS = [
    b for b in BLOCKS if b.info.startswith("python") and b.info not in EXPERIMENTS
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
            assert block in EXCERPTS or block.info in (*EXPERIMENTS, "console", "math")


@both_pages
def test_experiments_print_what_is_shown(page):
    """In one session, as a reader does; on a machine without MNIST too."""
    session = {"__name__": "lesson"}
    for block, after in itertools.pairwise([*blocks(page), None]):
        if block.info == "python try it":
            printed = run_block(block, session)
            assert printed == (after.lines if after.info == "text" else []), block


def run_block(block, session):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n".join(block.lines), str(block), "exec"), session)
    return printed.getvalue().splitlines()


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
