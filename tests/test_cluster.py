"""Shards on real worker processes, against NumPy and against one process."""

import numpy as np
import pytensor
import pytest
import reference

import logistic_cg
from logistic_sgd import load_data
from utils.errors import DivergenceError, HyperparameterError
from utils.training import checkpoint_file
from utils.training.cluster import Cluster, ClusterError
from utils.training.cluster.shards import sharding, split_evenly

pytest.importorskip("distributed", reason="needs the extra `cluster`")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    with Cluster(workers=2) as cluster:
        yield cluster


@pytest.fixture
def float64():
    with pytensor.config.change_flags(floatX="float64"):
        yield


@pytest.mark.parametrize("n", [1, 2, 3, 7, 9])
def test_parts_are_whole_consecutive_and_nearly_equal(n):
    parts = split_evenly(range(7), n)
    assert [i for part in parts for i in part] == list(range(7))
    lengths = [len(part) for part in parts]
    assert len(parts) == min(n, 7)
    assert max(lengths) - min(lengths) <= 1


def ready(cluster, dataset, shards):
    """The tiny dataset's ten minibatches of ten on the workers."""
    return cluster.objective(
        load_data,
        logistic_cg.compile_functions,
        dataset=dataset,
        splits=load_data(dataset, dtype="uint8"),
        n_in=12,
        n_out=3,
        batch_size=10,
        n_batches=(10, 2, 3),
        shards=shards,
        backend="auto",
        notify=lambda line: None,
    )


def test_sums_and_errors_are_those_of_numpy(cluster, float64, tiny_npz, tiny_splits):
    objective = ready(cluster, tiny_npz, shards=3)
    theta = np.random.default_rng(3).normal(size=39)
    W, b = theta[:36].reshape(12, 3), theta[36:]
    objective.set_theta(theta)

    # Ten minibatches in three runs.
    bounds = [(0, 4), (4, 7), (7, 10)]
    x, y = tiny_splits[0]
    found = list(objective.costs_and_gradients())
    for (first, stop), (n, cost, gradient) in zip(bounds, found, strict=True):
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


def test_no_more_shards_than_minibatches_of_a_split(cluster, float64, tiny_npz):
    """With ten shards the two validation minibatches make two parts."""
    objective = ready(cluster, tiny_npz, shards=10)
    objective.set_theta(np.zeros(39))
    assert [n for n, _, _ in objective.costs_and_gradients()] == [1] * 10
    assert len(objective.validation_errors()) == 2
    assert len(objective.test_errors()) == 3


@pytest.mark.parametrize("shards", [None, 1, 4])
def test_every_cost_equals_that_of_one_process(
    cluster, float64, tiny_npz, tmp_path, capsys, shards
):
    lines, costs = [], []
    for name, arguments in (
        ("here", {}),
        ("there", dict(cluster=cluster, shards=shards)),
    ):
        logistic_cg.cg_optimization_mnist(
            6,
            tiny_npz,
            batch_size=10,
            model=tmp_path / f"{name}.pkl",
            checkpoint=tmp_path / f"{name}.ckpt",
            **arguments,
        )
        lines.append(capsys.readouterr().out)
        kept = checkpoint_file.read(tmp_path / f"{name}.ckpt")
        costs.append(kept["evaluations"]["costs"])
    assert lines[0] == lines[1]
    assert len(costs[0]) > 6
    np.testing.assert_allclose(costs[1], costs[0], rtol=0, atol=1e-9)


def test_stopped_run_resumes_on_the_cluster_with_its_shards(
    cluster, float64, tiny_npz, tmp_path
):
    first, rest = tmp_path / "first.ckpt", tmp_path / "rest.ckpt"

    def train(n_epochs, **arguments):
        model = tmp_path / "model.pkl"
        logistic_cg.cg_optimization_mnist(n_epochs, model=model, **arguments)

    def found(path):
        kept = checkpoint_file.read(path)
        return [kept["evaluations"][name].tobytes() for name in ("costs", "gradients")]

    run = {"mnist_pkl_gz": tiny_npz, "batch_size": 10, "cluster": cluster, "shards": 4}
    train(6, checkpoint=tmp_path / "unbroken.ckpt", **run)
    train(3, checkpoint=first, **run)
    train(6, resume=first, checkpoint=rest, cluster=cluster)
    assert found(rest) == found(tmp_path / "unbroken.ckpt")

    with pytest.raises(checkpoint_file.CheckpointError, match="shards is 3, .* 4"):
        train(6, resume=first, cluster=cluster, shards=3)
    with pytest.raises(HyperparameterError, match="shards is 4, .*--workers N"):
        train(6, resume=first)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's, of the overflow
def test_cost_that_is_not_finite_ends_the_run(cluster, float64, tmp_path):
    rng = np.random.default_rng(1)
    x = 1e300 * rng.normal(size=(150, 4))
    path = tmp_path / "huge.npz"
    y = (np.arange(150) % 2).astype("uint8")
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DivergenceError, match="iteration"):
        logistic_cg.cg_optimization_mnist(
            5, path, batch_size=10, model=tmp_path / "m.pkl", cluster=cluster
        )


def test_shards_that_cannot_be(cluster):
    for shards in 0, 11, True, 2.0:
        with pytest.raises(HyperparameterError, match="from 1 to 10"):
            sharding(shards, cluster, 10)
    assert sharding(None, cluster, 10) == {"shards": 2}
    assert sharding(None, cluster, 1) == {"shards": 1}
    assert sharding(None, None, 10) == {}


@pytest.mark.parametrize(
    "arguments", [{}, {"workers": 2, "scheduler": "tcp://x:1"}, {"workers": 0}]
)
def test_cluster_of_nothing_or_of_both(arguments):
    with pytest.raises(ClusterError, match="expected"):
        Cluster(**arguments)
