"""All files that a run reads and writes: none is lost by another."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from small_files import (
    ARRAYS,
    checkpoint_content,
    model_bytes,
    npy_bytes,
    npz_bytes,
    write_idx,
)

import logistic_cg
import logistic_sgd
from utils import digit_image
from utils.errors import CheckpointError, ModelFileError, WriteError
from utils.training import checkpoint_file, places

MAIN = {"sgd": logistic_sgd.main, "cg": logistic_cg.main}
SHORT = "--batch-size", "1", "--n-epochs", "1"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a dataset of each kind, a checkpoint and its model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.npz").write_bytes(npz_bytes())
    (tmp_path / "link.npz").symlink_to("d.npz")
    write_idx(tmp_path / "idx", ARRAYS.values(), ".gz")
    (tmp_path / "npy").mkdir()
    for name, array in ARRAYS.items():
        (tmp_path / "npy" / f"{name}.npy").write_bytes(npy_bytes(array))
    (tmp_path / "m.pkl").write_bytes(model_bytes())
    os.link("m.pkl", "hard.pkl")
    content = checkpoint_content()
    content["arguments"] |= {"model": "m.pkl", "dataset": "d.npz"}
    (tmp_path / "c").write_bytes(checkpoint_file.dumps(content))
    monkeypatch.setenv("LOGREG_DATA", str(tmp_path / "idx"))
    return tmp_path


def content(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("script", MAIN)
@pytest.mark.parametrize(
    "line, own, other",
    [
        ("--dataset d.npz --model d.npz", "--model", "--dataset"),
        ("--dataset d.npz --checkpoint ./d.npz", "--checkpoint", "--dataset"),
        ("--dataset d.npz --history best_model.pkl", "--history", "--model"),
        ("--dataset link.npz --model d.npz", "--model", "--dataset"),
        ("--dataset npy --report npy/x_train.npy", "--report", "--dataset"),
        ("--dataset npy/ --model npy/../npy/y_test.npy", "--model", "--dataset"),
        # Without a suffix it would be read ahead of the gzipped one.
        ("--dataset idx --model idx/t10k-labels.idx1-ubyte", "--model", "--dataset"),
        ("--model idx/train-labels-idx1-ubyte.gz", "--model", "--dataset"),
        ("--checkpoint mnist.pkl.gz", "--checkpoint", "--dataset"),
        ("--dataset d.npz --model m.pkl --checkpoint hard.pkl", "--check", "--model"),
        ("--resume c --history m.pkl", "--history", "model that --resume names"),
        ("--resume c --checkpoint m.pkl", "--checkpoint", "model that --resume"),
        ("--resume c --report d.npz", "--report", "dataset that --resume names"),
        ("--resume c --model d.npz", "--model", "dataset that --resume names"),
        ("--resume c --model c", "--model", "--resume"),
        ("--resume c --checkpoint new --model c", "--model", "--resume"),
        ("--resume c --history c", "--history", "--resume"),
        ("--dataset d.npz --plot pl --model pl/history.csv", "--plot", "--model"),
        ("--dataset d.npz --plot pl --checkpoint pl/weights.png", "--plot", "--check"),
        ("--dataset d.npz --plot . --report mistakes.svg", "--plot", "--report"),
        ("--dataset d.npz --plot new --history new", "--history", "--plot"),
    ],
)
def test_no_file_is_written_that_is_another(here, capsys, script, line, own, other):
    if "--plot" in line:
        pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    before = content(here)
    assert MAIN[script]([*line.split(), *SHORT]) == 1
    out, error = capsys.readouterr()
    assert out == "" and len(error.splitlines()) == 1
    expected, found = error.split("found that of")
    assert own in expected and other in found
    assert content(here) == before


@pytest.mark.parametrize("own", ["model", "checkpoint"])
def test_functions_refuse_it_too(here, own):
    before = content(here)
    with pytest.raises(WriteError, match=f"of its own for the {own}.* the dataset"):
        logistic_sgd.sgd_optimization_mnist(0.1, 1, "link.npz", 1, **{own: "d.npz"})
    with pytest.raises(WriteError, match=f"of its own for the {own}.* the dataset"):
        logistic_cg.cg_optimization_mnist(1, "d.npz", 1, **{own: here / "d.npz"})
    assert content(here) == before


@pytest.mark.parametrize("script", MAIN)
@pytest.mark.parametrize(
    "option, place, message",
    [
        ("--model", "nowhere/m.pkl", "cannot be written .*create the folder"),
        ("--model", "x" * 5000, "cannot be written .* too long"),
        ("--checkpoint", "idx", "cannot be written .it is a folder"),
        ("--history", "nowhere/h.csv", "cannot be written .*create the folder"),
        ("--report", ".", "cannot be written .it is a folder"),
        ("--plot", "d.npz", "cannot be made .*name a folder"),
        ("--plot", "", "cannot be made"),
    ],
)
def test_place_that_cannot_be_written_is_told_before(
    here, capsys, script, option, place, message
):
    if option == "--plot":
        pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    before = content(here)
    assert MAIN[script](["--dataset", "d.npz", option, place, *SHORT]) == 1
    out, error = capsys.readouterr()
    assert out == "" and len(error.splitlines()) == 1
    assert re.match(f"logistic_{script}.py: error: {place}: {message}", error)
    assert content(here) == before


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_name_that_no_file_can_have_is_told_before(here, name):
    with pytest.raises(WriteError, match="cannot be written .*(null|encode)"):
        logistic_sgd.sgd_optimization_mnist(0.1, 1, "d.npz", 1, model=name)


@pytest.mark.parametrize(
    "given, others",
    [
        ({"resume": "c"}, []),
        ({"resume": "c", "checkpoint": "./c"}, []),
        ({"resume": "c", "checkpoint": "d", "model": "../new.pkl"}, []),
        ({"dataset": "npy", "model": "npy/m.pkl"}, ["npy/h.csv"]),
        ({"dataset": "digits", "model": "digits"}, []),
        ({"dataset": (ARRAYS["x_train"], ARRAYS["y_train"])}, []),
    ],
)
def test_places_that_suit_each_other_are_left_alone(here, given, others):
    kept = {"model": "m.pkl", "dataset": "d.npz"} if "resume" in given else None
    before = content(here)
    places.check_training(given, kept, [("the history", path) for path in others])
    assert content(here) == before


@pytest.mark.parametrize(
    "place, error, found",
    [
        ("letter.txt", ModelFileError, "letter.txt: .*does not replace"),
        ("x" * 5000 + ".pkl", WriteError, "too long"),
        # A shell, or make, would run the lines that a model's metadata can hold.
        (".profile", CheckpointError, r"\.profile, .* is no \.pkl"),
        ("Makefile", CheckpointError, r"is no \.pkl"),
        (".pkl", CheckpointError, r"is no \.pkl"),
        ("m.pkl.mk", CheckpointError, r"is no \.pkl"),
        ("../new.pkl", CheckpointError, "outside the current folder"),
        (f"{os.devnull}/m.pkl", CheckpointError, "outside the current folder"),
    ],
)
def test_strangers_checkpoint_chooses_no_place_for_harm(here, place, error, found):
    (here / "letter.txt").write_text("Dear Sir")
    kept = checkpoint_content()
    kept["arguments"]["model"] = place
    (here / "c").write_bytes(checkpoint_file.dumps(kept))
    before = content(here)
    with pytest.raises(error, match=found):
        logistic_sgd.sgd_optimization_mnist(resume="c")
    assert content(here) == before and not (here.parent / "new.pkl").exists()


@pytest.mark.parametrize(
    "pictures, model, found",
    [
        (["a.png"], "m.pkl", "found another file"),  # which is the user's own
        (["a.png", "a_seen.png"], "m.pkl", r"found that of a picture \(--predict\)"),
        (["m.png"], "m_seen.png", r"found that of the model \(--model\)"),
    ],
)
def test_prediction_replaces_no_file_of_the_user(here, pictures, model, found):
    Image = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")
    for name in ("a.png", "m.png", "a_seen.png"):
        Image.fromarray(np.tri(30, dtype="uint8") * 255).save(name)
    for name in ("m.pkl", "m_seen.png"):
        (here / name).write_bytes(model_bytes(np.zeros((784, 10), "float32")))
    before = content(here)
    with pytest.raises(WriteError, match=rf"expected .*\(--plot\), {found}"):
        logistic_sgd.predict_digits(map(here.joinpath, pictures), model, plot=".")
    assert content(here) == before


def test_preview_is_replaced_by_the_next(here):
    Image = pytest.importorskip("PIL.Image", reason="needs the extra `plot`")
    Image.fromarray(np.tri(30, dtype="uint8") * 255).save("a.png")
    digits, _ = digit_image.read_all(["a.png"])
    assert digit_image.write_previews(digits, ".") == [Path("a_seen.png")]
    places.check_prediction(["a.png"], "m.pkl", here)
