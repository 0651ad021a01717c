"""All changes of docs/changing.md, and what the page says that they print."""

import functools
import re

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest
from changed import changed_text
from cut_off import MIDDLE, cut_off
from fused import LOSS, ROWS, fused_operations
from processes import REPOSITORY, SGD, TINY
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs
from test_changing import CHANGES, script, test_resumed_run_is_the_unbroken_one

from logistic_sgd import sgd_optimization_mnist
from utils.errors import CheckpointError

__all__ = ["script", "test_resumed_run_is_the_unbroken_one"]

PAGE = (REPOSITORY / "docs" / "changing.md").read_text(encoding="utf-8")
ARRAYS, LOADING = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
# For each console of the page, its script, options, and the errors printed at its end.
RUNS = re.findall(
    r"^\$ python (\w+)\.py(.*)\n(?:.*\n)*?.*best validation score of ([0-9.]+) %,"
    r"with test performance ([0-9.]+) %",
    PAGE,
    re.MULTILINE,
)


@pytest.fixture(params=CHANGES)
def heading(request):
    return request.param


def test_checkpoint_of_another_training_is_refused(script, tiny_npz):
    """That of the lesson by the changed script, and the other way round."""
    functions = [sgd_optimization_mnist, script.sgd_optimization_mnist]
    for wrote, resumes in (functions, functions[::-1]):
        cut_off(functools.partial(wrote, 0.1, 6, tiny_npz, 10), MIDDLE)
        with pytest.raises(CheckpointError, match="of another: .*, in the checkpoint"):
            resumes(resume="run.ckpt")


def test_gradient_is_that_of_finite_differences(
    script, tiny_npz, monkeypatch, by_python
):
    """Of the very expressions that the script differentiates, at a random point."""
    monkeypatch.setattr(pytensor.config, "floatX", "float64")
    taken, grad = [], T.grad

    def spy(cost, wrt):
        taken.append((cost, wrt, grad(cost, wrt)))
        return taken[-1][2]

    monkeypatch.setattr(T, "grad", spy)
    script.sgd_optimization_mnist(0.1, 1, tiny_npz, 10)
    ((cost, params, gradients),) = taken
    rng = np.random.default_rng(3)
    for param in params:
        param.set_value(rng.normal(scale=0.3, size=param.get_value().shape))
    free = [v for v in graph_inputs([cost]) if not isinstance(v, Constant)]
    givens = {"x": rng.uniform(size=(10, 12)), "y": rng.integers(3, size=10, dtype="i")}
    inputs = [v for v in free if v.name in givens]
    compute = pytensor.function(
        inputs, [cost, *gradients], mode=Mode("py", "fast_compile")
    )
    at = functools.partial(compute, **givens)
    for param, gradient in zip(params, at()[1:], strict=True):
        value = param.get_value()
        for index in rng.integers(value.shape, size=(5, value.ndim)):
            costs = []
            for shift in (1e-5, -1e-5):
                moved = value.copy()
                moved[tuple(index)] += shift
                param.set_value(moved)
                costs.append(at()[0])
            param.set_value(value)
            expected = (costs[0] - costs[1]) / 2e-5
            np.testing.assert_allclose(gradient[tuple(index)], expected, 1e-6, 1e-9)


def test_training_is_one_fused_operation(script, tiny_npz, monkeypatch):
    compiled, function = [], pytensor.function

    def spy(*arguments, **keywords):
        compiled.append(function(*arguments, **keywords))
        return compiled[-1]

    monkeypatch.setattr(pytensor, "function", spy)
    script.sgd_optimization_mnist(0.1, 1, tiny_npz, 10, backend="c")
    found = [op for f in compiled for op in fused_operations(f)]
    assert len(found) == len(compiled) == 3
    assert {ROWS[0], LOSS[0]} & {*found}


@pytest.fixture
def write_script(tmp_path):
    def write(heading, name):
        path = tmp_path / f"{name}.py"
        path.write_text(changed_text(*CHANGES[heading]), encoding="utf-8")
        return path

    return write


def test_own_model_is_predicted_and_shown(write_script, run, tiny_npz, tmp_path):
    mlp = write_script("A hidden layer", "mlp")
    outputs = "--plot", "pictures", "--report", "report.html"
    done = run(mlp, *TINY, tiny_npz, *outputs, status=0)
    assert "no picture of weights: only a LogisticRegression has" in done.stderr
    pictures = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    assert pictures == {"learning_curve", "confusion", "mistakes"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("this model is MLP.") == 1 and "this is MLP." in page
    assert "<h1>MLP on tiny.npz</h1>" in page

    printed = run(mlp, "--predict", "--dataset", tiny_npz, status=0).stdout
    refused = run(SGD, "--predict", "--dataset", tiny_npz, status=1)
    assert "found one of 'MLP' that 'mlp.py' saved: predict with" in refused.stderr
    shown = "print(classifier.metadata['epoch'] > 0, type(classifier).__name__)"
    program = f"import mlp; mlp.predict(dataset={str(tiny_npz)!r})\n{LOADING}{shown}"
    assert run("-c", program, status=0).stdout == f"{printed}True MLP\n"


def test_arrays_of_the_page(tiny_set, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    xs, ys = ([tiny_set[f"{n}_{part}"] for part in ("train", "test")] for n in "xy")
    session = {"x": np.concatenate(xs), "y": np.concatenate(ys)}
    exec(ARRAYS, session)
    assert session["result"].model == "best_model.pkl"
    assert len(session["result"].history) > 1


def test_every_change_has_a_console():
    assert len(RUNS) == len(CHANGES)


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_page_tells_what_is_printed(number, write_script, run, mnist_folder):
    name, options, *errors = RUNS[number]
    if name == "mlp":
        pytest.skip("trains for minutes")
    path = write_script([*CHANGES][number], name)
    options = [*options.split(), "--dataset", mnist_folder / "mnist.pkl.gz"]
    printed = run(path, *options, status=0).stdout
    found = re.search(
        r"score of ([0-9.]+) %,with test performance ([0-9.]+) %", printed
    )
    # Another processor may add up in another order.
    assert [float(e) for e in found.groups()] == pytest.approx(
        [float(e) for e in errors], abs=0.1
    )
