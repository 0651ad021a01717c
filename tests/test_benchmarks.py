"""The benchmark programs: their data, their patience rule, what is measured."""

import gzip
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import reference

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def benchmark_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))


def reference_run(errors, n_train_batches):
    """The tutorial's loop, minibatch by minibatch; returns (epochs, minibatches)."""
    patience, best, epoch, n_seen = 5000, np.inf, 0, 0
    while epoch < 1000:
        epoch += 1
        for minibatch_index in range(n_train_batches):
            iteration = (epoch - 1) * n_train_batches + minibatch_index
            n_seen += 1
            if (iteration + 1) % n_train_batches == 0:
                error = errors[epoch - 1]
                if error < best:
                    if error < best * 0.995:
                        patience = max(patience, iteration * 2)
                    best = error
            if patience <= iteration:
                return epoch, n_seen
    return epoch, n_seen


@pytest.mark.parametrize(
    ("n_train_batches", "n_falling"), [(83, 5), (83, 40), (100, 60), (2500, 3)]
)
def test_train_stops_where_the_tutorial_stops(capsys, n_train_batches, n_falling):
    import lesson

    errors = [0.9**k for k in range(n_falling)] + [0.9**n_falling * 0.999] * 1000
    shown = iter(errors)
    trained = []
    lesson.train(trained.append, lambda: next(shown), lambda: 0.25, n_train_batches)
    epochs, n_seen = reference_run(errors, n_train_batches)
    assert sum(trained) == n_seen
    output = capsys.readouterr().out
    assert f"The code run for {epochs} epochs, with " in output
    assert output.count("test error of best model 25.000000 %") == n_falling + 1


def test_load_data_reads_a_pickle_of_python_2(tmp_path):
    import lesson

    rng = np.random.default_rng(0)
    splits = tuple(
        (rng.integers(256, size=(n, 784)).astype(np.float32) / 256, np.arange(n) % 10)
        for n in (1300, 700, 601)
    )
    path = tmp_path / "mnist.pkl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        pickle.dump(splits, file, protocol=2)
    loaded = [lesson.whole_minibatches(x, y) for x, y in lesson.load_data(path)]
    assert [len(y) for _, y in loaded] == [1200, 600, 600]
    for (x, y), (expected_x, expected_y) in zip(loaded, splits, strict=True):
        np.testing.assert_array_equal(x, expected_x[: len(x)])
        np.testing.assert_array_equal(y, expected_y[: len(y)])


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


def make_runs(speed, seconds, test_error=7.489583):
    from measuring import Run

    run = Run(seconds, 100.0, test_error, speed, "Fake 1.0")
    return {"cold": [run], "warm": [run]}


def test_tables_divide_by_numpy_and_by_the_fastest_peer():
    import tables
    from programs import PROGRAMS

    runs = {"c": (60, 3), "numpy": (20, 6), "jax-scan": (30, 8)}
    summaries = {
        program: tables.summarise(make_runs(*runs[program.key]))
        for program in PROGRAMS
        if program.key in runs
    }
    text = tables.report(summaries, {}, Path("mnist.pkl.gz"), 1, 0.0)
    assert "60.0 (3.00), 60.0 to 60.0 | 3.0 (0.50) | 3.0 (0.50) | 100 (1.00)" in text
    assert "over the fastest peer (JAX, jitted scan) | 2.00 |" in text
    assert "whole run cold, C over NumPy, time | 0.50 |" in text


@pytest.mark.parametrize(("test_error", "n_wrong"), [(7.53, 0), (7.55, 1), (np.nan, 1)])
def test_wrong_errors_names_who_misses_the_published_figure(test_error, n_wrong):
    import compare
    import tables
    from programs import PROGRAMS

    (numpy,) = (program for program in PROGRAMS if program.key == "numpy")
    summaries = {numpy: tables.summarise(make_runs(1, 1, test_error))}
    assert len(compare.wrong_errors(summaries)) == n_wrong


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
