"""What a checkpoint keeps of the variables and the graph of a training."""

import numpy as np
import pytensor
import pytest
from cut_off import rewrite
from small_files import WEIGHTS, checkpoint_content

from utils.errors import CheckpointError
from utils.training.checkpoint import Checkpoint
from utils.training.state import TrainingState


def shared(value, name=None):
    return pytensor.shared(value, name)


def make_variables(seed=1):
    """Arrays of several kinds, one name twice, none at all, and a generator."""
    rng = np.random.default_rng(seed)
    return [
        shared(rng.normal(size=(2, 3)).astype("float32"), "W"),
        shared(rng.normal(size=3), "W"),
        shared(np.int64(rng.integers(99))),
        shared(rng.uniform(size=2) > 0.5, "mask"),
        shared(np.random.default_rng(seed), "rng"),
        shared(np.random.Generator(np.random.PCG64DXSM(seed))),
    ]


def prepared(variables, graph="output 1: Neg", resume=None, notify=None, version=None):
    """A checkpoint with these variables, in the current folder."""
    checkpoint = Checkpoint("run.ckpt", resume, "minibatch SGD")
    checkpoint.set_run(lambda: "the data", checkpoint_content()["arguments"])
    if version:
        checkpoint._run["versions"]["pytensor"] = version
    state = TrainingState(epoch=1, iter=3, best_epoch=1, best_model=WEIGHTS)
    state.test_score = 0.25
    state.n_in, state.n_out = WEIGHTS["W"].shape
    state.history = [(1, 3, 0.5, 0.25, 0.25, 1.5)]
    checkpoint.restore(state, variables, lambda: graph, notify=notify)
    return checkpoint, state


@pytest.fixture(autouse=True)
def written(tmp_path, monkeypatch):
    """Writes a checkpoint into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(variables, **settings):
        checkpoint, state = prepared(variables, **settings)
        (tmp_path / "run.ckpt").write_bytes(checkpoint.content(state))

    return write


def resumed(variables, **settings):
    return prepared(variables, resume="run.ckpt", **settings)


def test_variables_of_every_kind_come_back(written):
    expected, fresh = make_variables(1), make_variables(2)
    written(expected)
    resumed(fresh)
    for ours, theirs in zip(fresh[:4], expected[:4], strict=True):
        np.testing.assert_array_equal(ours.get_value(), theirs.get_value(), strict=True)
    for ours, theirs in zip(fresh[4:], expected[4:], strict=True):
        ours, theirs = (v.get_value().normal(size=9) for v in (ours, theirs))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "position, other, difference",
    [
        (0, shared(np.zeros((2, 3)), "W"), "W is float64 of shape (2, 3), in the "
         "checkpoint float32 of shape (2, 3)"),
        (0, shared(np.zeros((3, 2), "f4"), "W"), "W is float32 of shape (3, 2), in"),
        (1, shared(np.zeros(4), "W"), "W (variable 2) is float64 of shape (4,), in"),
        (2, shared(np.zeros(4)), "variable 3 is float64 of shape (4,), in"),
        (3, shared(np.array([True]), "m"), "m is bool of shape (1,), in the checkpoint "
         "missing; mask is missing, in the checkpoint bool"),
        (4, shared(np.random.Generator(np.random.PCG64DXSM(1)), "rng"),
         "rng is a random generator 'PCG64DXSM', in the checkpoint a random generator "
         "'PCG64'"),
    ],
)  # fmt: skip
def test_variable_that_differs_is_named(written, position, other, difference):
    written(make_variables())
    variables = make_variables()
    variables[position] = other
    with pytest.raises(CheckpointError) as error:
        resumed(variables)
    assert f"of another: {difference}" in str(error.value)
    assert "with the script as it was" in str(error.value)


def test_variable_that_cannot_be_kept_is_named_before_the_training():
    twister = np.random.Generator(np.random.MT19937(1))
    with pytest.raises(CheckpointError, match="odd: expected numbers or a random"):
        prepared([shared(twister, "odd")])


def test_generators_state_out_of_place_is_refused(written):
    variables = make_variables()
    generator = variables[4].get_value(borrow=True).bit_generator
    wrong = generator.state | {"state": {"state": "1", "inc": None}}
    written(variables)
    rewrite(lambda content: content["variables"].update(rng=wrong))
    with pytest.raises(CheckpointError, match="rng cannot be set"):
        resumed(make_variables())


def test_other_graph_is_refused_by_its_first_difference(written):
    written(make_variables(), graph="output 1: Add\n  Neg <float64>")
    with pytest.raises(
        CheckpointError, match="output 1 is Mul <float64>, in the .*Neg"
    ):
        resumed(make_variables(), graph="output 1: Add\n  Mul <float64>")


@pytest.mark.parametrize("version, here", [("2.99", "output 1: Mul"), (None, "")])
def test_graphs_that_cannot_be_compared_are_told(written, version, here):
    written(make_variables(), version=version)
    lines = []
    resumed(make_variables(), graph=here, notify=lines.append)
    assert len(lines) == 1 and "could not be compared" in lines[0]
