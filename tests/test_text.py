"""Text from files, from their names and from options: shown in a way that is safe."""

import itertools
import os
import re

import pytest
from processes import SGD
from small_files import (
    checkpoint_bytes,
    checkpoint_content,
    model_bytes,
    npy_header,
    npz_bytes,
)

import logistic_sgd
from utils.errors import DatasetError
from utils.text import shown
from utils.training import Monitor, TrainingStopped, checkpoint_file, model_file

# A terminal's commands, ends of lines, writing turned round, a byte that is no UTF-8.
HOSTILE = "a\x1b[31m\x9b2J\r\nb\u2028\u202e\x7f"
SAFE = r"a\x1b[31m\x9b2J\r\nb\u2028\u202e\x7f"
NOT_UTF8 = f"{HOSTILE}\udcff"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("größe 数 🙂 C:\\new 'a' 100 %", "größe 数 🙂 C:\\new 'a' 100 %"),
        (NOT_UTF8, rf"{SAFE}\udcff"),
        ("\0\t\u200b\U000e0041", r"\x00\t\u200b\U000e0041"),
        ("7" * 60, "7" * 60),
        (f"n={'7' * 400}.", f"n={'7' * 20}... (400 digits)."),
    ],
)
def test_shown(text, expected):
    assert shown(text) == expected
    # Messages quote messages.
    assert shown(expected) == expected


# The boundaries


@pytest.fixture
def printed(tiny_npz, tmp_path, monkeypatch, capsys):
    """The exit status of a script, and what it prints on standard error, as lines."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        try:
            status = logistic_sgd.main(arguments)
        except SystemExit as left:  # by argparse
            status = left.code
        return status, capsys.readouterr().err.splitlines()

    return call


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


def predict(*pictures, **metadata):
    write("m.pkl", model_bytes(metadata=metadata))
    return "--predict", *pictures, "--model", "m.pkl"


def resume(*options, **parts):
    content = checkpoint_content()
    content["arguments"] |= parts.pop("arguments", {})
    content = checkpoint_file.dumps(content | parts)
    return "--resume", write("run.ckpt", content), *options


def archive():
    return "--resume", write("run.ckpt", checkpoint_bytes({HOSTILE: b"no array"}))


TINY, TEN = ("--dataset", "tiny.npz"), ("--batch-size", "10")
REFUSED = {
    "an option": lambda: [f"--{NOT_UTF8}"],
    "a dataset": lambda: ["--dataset", NOT_UTF8],
    "a report": lambda: ["--report", f"missing/{NOT_UTF8}"],
    "a model": lambda: ["--predict", "--model", NOT_UTF8],
    "a model's dataset": lambda: predict(dataset=NOT_UTF8),
    "a checkpoint's model": lambda: resume(arguments={"model": f"../{NOT_UTF8}"}),
    "a checkpoint's training": lambda: resume(*TINY, *TEN, trained_by=NOT_UTF8),
    "a member of an archive": archive,
}


@pytest.mark.parametrize("what", REFUSED)
def test_error_is_one_printable_line(what, printed):
    status, (*usage, line) = printed(*REFUSED[what](), "--quiet")
    assert status == (2 if what == "an option" else 1)
    assert line.startswith(f"{SGD}: error: ") and SAFE in line and line.isprintable()
    assert all(words.isprintable() for words in usage)


def test_error_is_not_as_long_as_what_it_is_about(printed):
    trained_by = "A" * 200_000
    status, (line,) = printed(*resume(*TINY, *TEN, trained_by=trained_by), "--quiet")
    assert status == 1 and len(line) < 20_000
    assert "training is minibatch SGD" in line and line.endswith("may change.")


@pytest.mark.parametrize(
    "tell",
    [
        Monitor(quiet=False).log,
        Monitor().note,
        lambda line: print(TrainingStopped(2, line)),
        lambda line: print(DatasetError(line)),
    ],
)
def test_remark_is_one_printable_line(tell, capsys):
    tell(NOT_UTF8)
    out, error = capsys.readouterr()
    (line,) = (out + error).splitlines()
    assert SAFE in line and line.isprintable()


def test_lines_of_the_tutorial_may_be_several(capsys):
    Monitor().say("one\n\ttwo \x1b[31m")
    assert capsys.readouterr().out == "one\n\ttwo \\x1b[31m\n"


def test_startup(run):
    program = "from utils.cli import startup; startup.prepare('__main__')"
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={os.devnull}/\x1b[31m"}
    finished = run("-c", program, environment=flags, status=1)
    assert r"/\x1b[31m cannot be used (Not a directory): name ano" in finished.stderr


def test_run_on_a_dataset_of_such_a_name(printed, tmp_path):
    """It is kept in model and checkpoint as it is, and found there again."""
    (tmp_path / "tiny.npz").rename(tmp_path / NOT_UTF8)
    places = {"--model": "m", "--checkpoint": "c", "--history": "h", "--report": "r"}
    places = {option: f"{name}{NOT_UTF8}" for option, name in places.items()}
    train = "--dataset", NOT_UTF8, *TEN, "--n-epochs", "2"
    assert printed(*train, *itertools.chain(*places.items()))[0] == 0
    page = (tmp_path / places["--report"]).read_text(encoding="utf-8")
    assert f"<h1>Logistic regression on {SAFE}\\udcff</h1>" in page
    assert f">dataset</th><td>{SAFE}\\udcff</td>" in page
    assert model_file.read(places["--model"])["metadata"]["dataset"] == NOT_UTF8
    assert printed("--resume", places["--checkpoint"], "--n-epochs", "3")[0] == 0
    assert printed("--predict", "--model", places["--model"]) == (0, [])


# Numbers

LONG = "7" * 400


def wide(shape):
    """A dataset in which an array claims to be of a shape."""
    return write("wide.npz", npz_bytes({"x_train.npy": npy_header(shape)}))


@pytest.mark.parametrize(
    "arguments",
    [
        lambda: [*TINY, "--batch-size", LONG],
        lambda: [*TINY, "--n-epochs", LONG * 20],
        lambda: [*TINY, "--learning-rate", f"{LONG}x"],
        lambda: ["--dataset", wide((2**62,) * 30)],
    ],
)
def test_long_number_is_not_repeated(arguments, printed):
    status, lines = printed(*arguments(), "--quiet")
    assert status in (1, 2)
    assert re.search(r"\d{20}\.\.\. \(\d+ digits\)", lines[-1])
    assert not re.search(r"\d{61}", lines[-1])
