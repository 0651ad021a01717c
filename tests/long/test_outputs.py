"""Pictures and page of a whole run by conjugate gradient."""

import pytest
from test_outputs import call

__all__ = ["call"]


def test_best_model_is_named_by_its_iteration(call, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    assert call("cg", "--n-epochs", "1", "--plot", ".", "--report", "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "best model: iteration 1<" in page
    assert "python logistic_cg.py --dataset" in page
    picture = (tmp_path / "learning_curve.svg").read_text()
    assert "<!-- Best model: iteration 1 (dashed)" in picture
    assert "<!-- iteration of conjugate gradient -->" in picture
