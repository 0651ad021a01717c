"""Pictures and page of a whole run by conjugate gradient."""

import pytest
from pytensor import config

import logistic_cg


def test_best_model_is_named_by_its_iteration(tiny_npz, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    monkeypatch.chdir(tmp_path)
    arguments = ["--dataset", str(tiny_npz), "--batch-size", "20", "--n-epochs", "1"]
    arguments += ["--plot", ".", "--report", "r.html"]
    with config.change_flags(floatX=config.floatX):
        assert logistic_cg.main(arguments) == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "best model: iteration 1<" in page
    assert "python logistic_cg.py --dataset" in page
    picture = (tmp_path / "learning_curve.svg").read_text()
    assert "<!-- Best model: iteration 1 (dashed)" in picture
    assert "<!-- iteration of conjugate gradient -->" in picture
