"""Clusters of two workers that compile, with few and many shards, and an overflow."""

import numpy as np
import pytensor
import pytest
from test_cluster import train

import logistic_cg
from utils.errors import DivergenceError
from utils.training import checkpoint_file
from utils.training.cluster import Cluster

pytest.importorskip("distributed", reason="needs the extra `cluster`")


@pytest.fixture(scope="module")
def cluster():
    with Cluster(workers=2) as cluster:
        yield cluster


@pytest.fixture
def float64():
    with pytensor.config.change_flags(floatX="float64"):
        yield


def test_stopped_run_resumes_on_the_cluster_with_its_shards(
    cluster, float64, tiny_npz, tmp_path
):
    run = {"mnist_pkl_gz": tiny_npz, "batch_size": 10, "cluster": cluster, "shards": 4}
    unbroken = train(6, tmp_path / "unbroken.ckpt", **run)
    first = tmp_path / "first.ckpt"
    train(3, first, **run)
    resumed = train(6, tmp_path / "rest.ckpt", resume=first, cluster=cluster)
    for found, expected in zip(resumed, unbroken, strict=True):
        assert found.tobytes() == expected.tobytes()
    with pytest.raises(checkpoint_file.CheckpointError, match="shards is 3, .* 4"):
        train(6, first, resume=first, cluster=cluster, shards=3)


def test_cost_that_is_not_finite_ends_the_run(
    cluster, float64, tiny_npz, tmp_path, monkeypatch
):
    def overflow(objective, theta_value):  # a sum of few is infinite
        objective.theta.set_value(np.full_like(theta_value, 1e308))

    objective = "utils.training.cluster.objective.ClusterObjective.set_theta"
    monkeypatch.setattr(objective, overflow)
    with pytest.raises(DivergenceError, match="iteration"):
        logistic_cg.cg_optimization_mnist(
            5, tiny_npz, batch_size=10, model=tmp_path / "m.pkl", cluster=cluster
        )
