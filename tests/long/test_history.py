"""Histories of whole runs, by both scripts, also where they are cut short."""

import csv
import functools
import math
import re
import signal

import pytest
from test_outputs import SCRIPTS, call

from utils.training import Run

__all__ = ["call"]


def rows_of(path):
    """The rows, but the header, as numbers."""
    with open(path, newline="") as file:
        _, *rows = csv.reader(file)
    return [[float(cell or "nan") for cell in row] for row in rows]


@pytest.fixture(params=SCRIPTS)
def main(request, call):
    """Call a script on the tiny dataset, with 5 minibatches an epoch."""
    return functools.partial(call, request.param)


@pytest.mark.parametrize("ending, status", [("stop", 130), ("nan", 1)])
def test_run_that_ends_early_leaves_its_history(
    main, tmp_path, monkeypatch, capsys, ending, status
):
    on_minibatch_end = Run.on_minibatch_end

    def ends_in_the_third_epoch(self, cost, n_minibatches=1):
        third = len(self.history) == 2
        if third and ending == "stop":
            self.monitor.request_stop(signal.SIGINT)
        on_minibatch_end(self, math.nan if third else cost, n_minibatches)

    monkeypatch.setattr(Run, "on_minibatch_end", ends_in_the_third_epoch)
    assert main("--n-epochs", "9", "--history", "h.csv") == status
    assert [row[0] for row in rows_of(tmp_path / "h.csv")] == [1, 2]
    assert "Traceback" not in capsys.readouterr().err


def test_resumed_run_writes_the_whole_history(main, tmp_path, capsys):
    assert main("--n-epochs", "3", "--history", "whole.csv") == 0
    printed = re.findall(r"validation error ([\d.]+) %", capsys.readouterr().out)
    assert main("--n-epochs", "2", "--checkpoint", "run.ckpt") == 0
    assert main("--resume", "run.ckpt", "--n-epochs", "3", "--history", "h.csv") == 0
    whole, resumed = (rows_of(tmp_path / f"{name}.csv") for name in ("whole", "h"))
    # All but the seconds.
    assert [row[:5] for row in resumed] == [row[:5] for row in whole]
    assert [row[5] for row in resumed] == sorted(row[5] for row in resumed)
    assert [row[0] for row in whole] == [1, 2, 3]
    assert [f"{row[3] * 100:f}" for row in whole] == printed
    assert all(0 < row[2] < math.log(3) for row in whole)
