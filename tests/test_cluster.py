"""Shards on two real worker processes, against NumPy and against one process.

Nothing is compiled here; in the long tests it is.
"""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytensor
import pytest
import reference

import logistic_cg
from logistic_sgd import load_data
from utils.errors import HyperparameterError
from utils.training import checkpoint_file
from utils.training.cluster import Cluster, ClusterError
from utils.training.cluster.objective import ClusterObjective
from utils.training.cluster.shards import sharding, split_evenly

pytest.importorskip("distributed", reason="needs the extra `cluster`")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes; the last test kills one of them."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTENSOR_FLAGS", f"{flags},cxx=,mode=FAST_COMPILE".lstrip(","))
        with Cluster(workers=2) as cluster:
            yield cluster


@pytest.fixture
def float64():
    with pytensor.config.change_flags(floatX="float64", cxx="", mode="FAST_COMPILE"):
        yield


@pytest.mark.parametrize("n", [1, 2, 3, 7, 9])
def test_parts_are_whole_consecutive_and_nearly_equal(n):
    parts = split_evenly(range(7), n)
    assert [i for part in parts for i in part] == list(range(7))
    lengths = [len(part) for part in parts]
    assert len(parts) == min(n, 7)
    assert max(lengths) - min(lengths) <= 1


def test_shards_that_cannot_be():
    cluster = SimpleNamespace(n_workers=2)
    for shards in 0, 11, True, 2.0:
        with pytest.raises(HyperparameterError, match="from 1 to 10"):
            sharding(shards, cluster, 10)
    assert sharding(None, cluster, 10) == {"shards": 2}
    assert sharding(None, cluster, 1) == {"shards": 1}
    assert sharding(None, None, 10) == {}
    with pytest.raises(HyperparameterError, match="shards is 4, .*--workers N"):
        sharding(4, None, 10)


@pytest.mark.parametrize(
    "arguments", [{}, {"workers": 2, "scheduler": "tcp://x:1"}, {"workers": 0}]
)
def test_cluster_of_nothing_or_of_both(arguments):
    with pytest.raises(ClusterError, match="expected"):
        Cluster(**arguments)


def test_arrays_are_refused(cluster, float64, tiny_arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClusterError, match="found arrays: save them as an .npz, or"):
        logistic_cg.cg_optimization_mnist(3, tiny_arrays, 10, cluster=cluster)


def train(n_epochs, checkpoint, **arguments):
    """Costs and gradients of all evaluations, from a run's checkpoint."""
    logistic_cg.cg_optimization_mnist(
        n_epochs,
        model=checkpoint.with_suffix(".pkl"),
        checkpoint=checkpoint,
        **arguments,
    )
    evaluations = checkpoint_file.read(checkpoint)["evaluations"]
    return evaluations["costs"], evaluations["gradients"]


def test_every_cost_equals_that_of_one_process_but_for_rounding(
    cluster, float64, tiny_npz, tmp_path, capsys
):
    run = {"mnist_pkl_gz": tiny_npz, "batch_size": 10}
    here, _ = train(6, tmp_path / "here.ckpt", **run)
    lines = capsys.readouterr().out
    there, _ = train(6, tmp_path / "there.ckpt", cluster=cluster, **run)
    assert capsys.readouterr().out == lines
    assert len(here) > 6
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-9)


def test_sums_are_those_of_numpy_also_when_a_worker_is_killed(
    cluster, float64, tiny_npz, tiny_splits
):
    lines = []
    objective = ClusterObjective(
        cluster,
        load_data,
        logistic_cg.compile_functions,
        dataset=tiny_npz,
        splits=load_data(tiny_npz, dtype="uint8"),
        n_in=12,
        n_out=3,
        batch_size=10,
        n_batches=(10, 2, 3),
        shards=3,
        backend="auto",
        notify=lines.append,
    )
    theta = np.random.default_rng(3).normal(size=39)
    W, b = theta[:36].reshape(12, 3), theta[36:]
    objective.set_theta(theta)

    # Ten minibatches in three shards.
    bounds = [(0, 4), (4, 7), (7, 10)]
    x, y = tiny_splits[0]
    sums = list(objective.costs_and_gradients())
    for (first, stop), (n, cost, gradient) in zip(bounds, sums, strict=True):
        # Mean over all rows: minibatches are of one size.
        rows = slice(first * 10, stop * 10)
        mean, g_W, g_b = reference.cost_and_gradients(W, b, x[rows], y[rows])
        assert n == stop - first
        assert cost / n == pytest.approx(mean, rel=1e-12)
        expected = np.concatenate([g_W.ravel(), g_b])
        np.testing.assert_allclose(gradient / n, expected, rtol=1e-9, atol=1e-13)

    for found, (x, y) in zip(
        (objective.validation_errors(), objective.test_errors()),
        tiny_splits[1:],
        strict=True,
    ):
        batches = [slice(i, i + 10) for i in range(0, len(y), 10)]
        assert found == pytest.approx(
            [reference.error(W, b, x[s], y[s]) for s in batches]
        )

    if hasattr(signal, "SIGKILL"):
        # A worker that is lost changes no bit: the other does its part.
        victim, *_ = cluster.client.run(os.getpid).values()
        os.kill(victim, signal.SIGKILL)
        for found, expected in zip(objective.costs_and_gradients(), sums, strict=True):
            np.testing.assert_equal(found, expected)
        assert sum("was lost, 1 left" in line for line in lines) == 1
