"""The benchmark programs: their data, their patience rule, what is measured."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from processes import published, validation_errors

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def benchmark_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))


def test_peers_stop_where_the_tutorial_stopped(capsys):
    import lesson

    errors = published("sgd_mnist.csv")
    shown = (float(error) / 100 for error in errors)
    trained = []
    lesson.train(trained.append, lambda: next(shown), lambda: 0.25, 83)
    assert sum(trained) == 6141
    output = capsys.readouterr().out
    assert validation_errors(output) == errors
    assert "The code run for 74 epochs, with " in output


def test_numpy_peers_take_the_reference_gradient(monkeypatch):
    import numpy_cg
    import numpy_sgd

    monkeypatch.setattr(numpy_cg, "BATCH_SIZE", 12)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 5)).astype(np.float32)
    y = rng.integers(4, size=12)
    model = numpy_sgd.SoftmaxRegression(5, 4, 12)
    model.step(x, y)
    W, b = model.W.copy(), model.b.copy()
    cost, g_W, g_b = reference.cost_and_gradients(W, b, x, y)
    assert model.step(x, y) == pytest.approx(cost, rel=1e-5)
    np.testing.assert_allclose(W - model.W, 0.13 * g_W, atol=1e-6)
    np.testing.assert_allclose(b - model.b, 0.13 * g_b, atol=1e-6)
    flat = numpy_cg.FlatSoftmaxRegression(x.astype(np.float64), y, 4)
    theta = np.append(W, b).astype(np.float64)
    found_cost, gradient = flat.cost_and_gradient(theta)
    assert found_cost == pytest.approx(cost, rel=1e-5)
    np.testing.assert_allclose(gradient, np.append(g_W, g_b), atol=1e-6)


@pytest.mark.parametrize("zeros", [0, 0.5, 0.81, 1])
def test_images_have_the_zeros_that_were_asked_for(zeros):
    import growth_point

    x = growth_point.images(np.random.default_rng(0), 500, 784, zeros)
    assert np.mean(x == 0) == pytest.approx(zeros, abs=1e-4)
    if zeros == 0.81:  # of MNIST's first 5,000 training images: 0.394
        assert x.reshape(-1, 8).any(axis=1).mean() == pytest.approx(0.394, abs=0.02)


MEASURE = """
import dataclasses, json, os, sys
import measuring
run = measuring.run([sys.executable, "-c", sys.argv[1]], dict(os.environ), sys.argv[2])
print(json.dumps(dataclasses.asdict(run)))
"""


def test_run_measures_a_process(run, tmp_path):
    script = (
        "import sys; block = b'x' * 200_000_000\n"
        "print('setup: Fake 1.0, 2 threads', file=sys.stderr)\n"
        "print('with test performance 7.5 %')\n"
        "print('The code run for 74 epochs, with 12.5 epochs/sec')"
    )
    # From a small process: a child's peak begins with what its parent has.
    finished = run("-c", MEASURE, script, tmp_path, cwd=BENCHMARKS)
    measured = json.loads(finished.stdout)
    assert (measured["test_error"], measured["speed"]) == (7.5, 12.5)
    assert measured["setup"] == "Fake 1.0, 2 threads"
    assert 190 < measured["peak_memory"] < 400
    assert measured["seconds"] > 0


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise SystemExit('no such file')", "status 1 .* no such file"),
        ("print('nothing of use')", r"(?s)no line like .*\nnothing of use$"),
    ],
)
def test_run_reports_a_program_that_fails(tmp_path, script, message):
    import measuring

    with pytest.raises(measuring.RunError, match=message):
        measuring.run([sys.executable, "-c", script], dict(os.environ), tmp_path)


def test_tables_divide_by_numpy_and_by_the_fastest_peer():
    import tables
    from measuring import Run
    from programs import PROGRAMS

    by_key = {program.key: program for program in PROGRAMS}
    summaries = {}
    for key, speed, seconds in ("c", 60, 3), ("numpy", 20, 6), ("jax-scan", 30, 8):
        run = Run(seconds, 100.0, 7.489583, speed, "Fake 1.0")
        summaries[by_key[key]] = tables.summarise({"cold": [run], "warm": [run]})
    text = tables.report(summaries, {}, Path("mnist.pkl.gz"), 1, 0.0)
    assert "60.0 (3.00), 60.0 to 60.0 | 3.0 (0.50) | 3.0 (0.50) | 100 (1.00)" in text
    assert "over the fastest peer (JAX, jitted scan) | 2.00 |" in text
    assert "whole run cold, C over NumPy, time | 0.50 |" in text


def test_cold_runs_share_no_cache_and_numba_sees_no_compiler(tmp_path):
    import programs

    by_key = {program.key: program for program in programs.PROGRAMS}
    for name in ("HOME", "NUMBA_CACHE_DIR", "LOGREG_CACHE"):
        first, second = (
            programs.environment(by_key["c"], tmp_path / folder)[name]
            for folder in ("a", "b")
        )
        assert first.startswith(str(tmp_path / "a")) and first != second
    flags = programs.environment(by_key["c"], tmp_path / "a")["PYTENSOR_FLAGS"]
    assert f"base_compiledir={tmp_path / 'a'}" in flags
    numba = programs.environment(by_key["numba"], tmp_path / "a")
    assert not Path(numba["PATH"]).exists()
