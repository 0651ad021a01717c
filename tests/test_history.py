"""history.csv: read back by others, and written however a run ends."""

import csv
import math
import re
import signal

import numpy as np
import pytest
from pytensor import config

import logistic_cg
import logistic_sgd
from utils.report import history
from utils.report.outputs import history_kept
from utils.training.monitor import Monitor

SCRIPTS = {"sgd": logistic_sgd, "cg": logistic_cg}
ROWS = [
    (1, 82, 0.1 + 0.2, 1 / 3, np.float64(0.25), 1e-5),
    (2, 165, np.float64(np.float32(0.1)), 0.0, 0.25, 123456.789),
]


def rows_of(path):
    """The rows, but the header, as numbers."""
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "epoch",
        "iteration",
        "minibatch_cost",
        "validation_error",
        "test_error",
        "seconds",
    ]
    return [[float(cell or "nan") for cell in row] for row in rows]


def test_numbers_come_back_exactly(tmp_path):
    (tmp_path / "h.csv").write_bytes(history.dumps(ROWS))
    found = rows_of(tmp_path / "h.csv")
    # The iteration is the number of minibatches so far, the last one among them.
    assert found == [[row[0], row[1] + 1, *row[2:]] for row in ROWS]
    table = np.genfromtxt(tmp_path / "h.csv", delimiter=",", names=True)
    assert table["minibatch_cost"].tolist() == [row[2] for row in ROWS]


def test_pandas_reads_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    (tmp_path / "h.csv").write_bytes(history.dumps(ROWS))
    table = pandas.read_csv(tmp_path / "h.csv", float_precision="round_trip")
    assert table["epoch"].dtype == table["iteration"].dtype == "int64"
    assert table["validation_error"].tolist() == [row[3] for row in ROWS]


def test_conjugate_gradient_counts_iterations_and_unknown_numbers_are_empty():
    content = history.dumps([(3, -1, math.nan, 0.5, 0.25, 1.5)])
    assert content.decode().splitlines()[1] == "3,3,,0.5,0.25,1.5"


def test_run_without_a_validation_leaves_the_header():
    assert history.dumps([]).count(b"\n") == 1


@pytest.fixture(params=SCRIPTS)
def main(request, tiny_npz, tmp_path, monkeypatch):
    """Call a script on the tiny dataset, with 5 minibatches an epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOGREG_DATA", raising=False)
    dataset = ["--dataset", str(tiny_npz), "--batch-size", "20"]

    def call(*arguments):
        with config.change_flags(floatX=config.floatX):
            return SCRIPTS[request.param].main([*dataset, *arguments])

    return call


def test_script_writes_what_it_printed(main, tmp_path, capsys):
    assert main("--n-epochs", "4", "--history", "h.csv") == 0
    printed = re.findall(r"validation error ([\d.]+) %", capsys.readouterr().out)
    found = rows_of(tmp_path / "h.csv")
    assert [row[0] for row in found] == [1, 2, 3, 4]
    assert [f"{row[3] * 100:f}" for row in found] == printed
    assert [row[5] for row in found] == sorted(row[5] for row in found)
    assert all(0 < row[2] < math.log(3) for row in found)


@pytest.mark.parametrize("ending, status", [("stop", 130), ("nan", 1)])
def test_run_that_ends_early_leaves_its_history(
    main, tmp_path, monkeypatch, capsys, ending, status
):
    minibatch, epochs = Monitor.minibatch, []

    def ends_in_the_third_epoch(self, state, cost, count=1):
        epochs.append(len(state.history))
        if epochs[-1] == 2 and ending == "stop":
            self.request_stop(signal.SIGINT)
        minibatch(self, state, math.nan if epochs[-1] == 2 else cost)

    monkeypatch.setattr(Monitor, "minibatch", ends_in_the_third_epoch)
    assert main("--n-epochs", "9", "--history", "h.csv") == status
    assert [row[0] for row in rows_of(tmp_path / "h.csv")] == [1, 2]
    assert "Traceback" not in capsys.readouterr().err


def test_resumed_run_writes_the_whole_history(main, tmp_path):
    assert main("--n-epochs", "2", "--checkpoint", "run.ckpt") == 0
    assert main("--resume", "run.ckpt", "--n-epochs", "3", "--history", "h.csv") == 0
    assert [row[0] for row in rows_of(tmp_path / "h.csv")] == [1, 2, 3]


@pytest.mark.parametrize(
    "place, message",
    [
        ("missing/h.csv", "missing/h.csv: cannot be written .*create the folder"),
        (".", "which is a folder"),
        ("best_model.pkl", "a file of its own for --history, found that of --model"),
        ("tiny.npz", "a file of its own for --history, found that of --dataset"),
    ],
)
def test_place_that_cannot_be_is_told_before_training(
    main, tmp_path, tiny_npz, capsys, place, message
):
    before = tiny_npz.read_bytes()
    assert main("--history", place) == 1
    out, error = capsys.readouterr()
    assert out == "" and re.search(message, error)
    assert len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npz"]
    assert tiny_npz.read_bytes() == before


def test_failed_write_hides_no_error_of_the_run(tmp_path, capsys):
    class Options:
        plot, history, monitor = None, str(tmp_path / "gone" / "h.csv"), Monitor()

    Options.monitor.history = []
    with pytest.raises(ZeroDivisionError), history_kept(Options):
        raise ZeroDivisionError
    assert "h.csv: cannot be written" in capsys.readouterr().err
