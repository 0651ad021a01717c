"""Histories of whole runs, by both scripts, also where they are cut short."""

import csv
import math
import re
import signal

import pytest
from pytensor import config

import logistic_cg
import logistic_sgd
from utils.training import Run

SCRIPTS = {"sgd": logistic_sgd, "cg": logistic_cg}


def rows_of(path):
    """The rows, but the header, as numbers."""
    with open(path, newline="") as file:
        _, *rows = csv.reader(file)
    return [[float(cell or "nan") for cell in row] for row in rows]


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
