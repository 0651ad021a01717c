"""history.csv: read back by others, and written however a run ends."""

import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest

from utils.report import history
from utils.report.outputs import history_kept

ROWS = [
    (1, 82, 0.1 + 0.2, 1 / 3, np.float64(0.25), 1e-5),
    (2, 165, np.float64(np.float32(0.1)), 0.0, 0.25, 123456.789),
]


def test_numbers_come_back_exactly(tmp_path):
    (tmp_path / "h.csv").write_bytes(history.dumps(ROWS))
    with open(tmp_path / "h.csv", newline="") as file:
        header, *found = csv.reader(file)
    columns = "epoch iteration minibatch_cost validation_error test_error seconds"
    assert header == columns.split()
    # The iteration is the number of minibatches so far, the last one among them.
    expected = [[row[0], row[1] + 1, *row[2:]] for row in ROWS]
    assert [[float(cell) for cell in row] for row in found] == expected
    table = np.genfromtxt(tmp_path / "h.csv", delimiter=",", names=True)
    assert table["minibatch_cost"].tolist() == [row[2] for row in ROWS]


def test_conjugate_gradient_counts_iterations_and_unknown_numbers_are_empty():
    content = history.dumps([(3, -1, math.nan, 0.5, 0.25, 1.5)])
    assert content.decode().splitlines()[1] == "3,3,,0.5,0.25,1.5"


def test_run_without_a_validation_leaves_the_header():
    assert history.dumps([]).count(b"\n") == 1


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, ArithmeticError])
def test_history_is_written_however_the_run_ends(tmp_path, ending):
    monitor = SimpleNamespace(history=None)
    options = SimpleNamespace(plot=None, history=tmp_path / "h.csv", monitor=monitor)
    if ending is None:
        with history_kept(options):
            monitor.history = ROWS
    else:
        with pytest.raises(ending), history_kept(options):
            monitor.history = ROWS[:1]
            raise ending
    n_lines = (tmp_path / "h.csv").read_bytes().count(b"\n")
    assert n_lines == (3 if ending is None else 2)


def test_failed_write_hides_no_error_of_the_run(tmp_path, capsys):
    place, monitor = str(tmp_path / "gone" / "h.csv"), SimpleNamespace(history=[])
    options = SimpleNamespace(plot=None, history=place, monitor=monitor)
    with pytest.raises(ZeroDivisionError), history_kept(options):
        raise ZeroDivisionError
    assert "h.csv: cannot be written" in capsys.readouterr().err
