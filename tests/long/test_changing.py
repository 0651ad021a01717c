"""All changes of docs/changing.md, and what the page says that they print."""

import re

import pytest
from changed import changed_text
from processes import REPOSITORY, SGD, TINY
from test_changing import (  # noqa: F401
    CHANGES,
    script,
    test_checkpoint_of_another_training_is_refused,
    test_gradient_is_that_of_finite_differences,
    test_resumed_run_is_the_unbroken_one,
)

PAGE = (REPOSITORY / "docs" / "changing.md").read_text(encoding="utf-8")
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
    program = f"import mlp; mlp.predict(dataset={str(tiny_npz)!r})"
    assert run("-c", program, status=0).stdout == printed
    refused = run(SGD, "--predict", "--dataset", tiny_npz, status=1)
    assert "found a 'MLP' that 'mlp.py' saved: predict with" in refused.stderr


def test_programs_of_the_page(write_script, run, tiny_npz):
    arrays, loading = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    load = (
        "import numpy as np\nfile = np.load('tiny.npz')\nx, y = ("
        "np.concatenate([file[n + '_train'], file[n + '_test']]) for n in 'xy')\n"
    )
    shown = "print(result.model, len(result.history) > 1)"
    printed = run("-c", f"{load}{arrays}{shown}", status=0).stdout
    assert printed.endswith("best_model.pkl True\n")
    run(write_script("A hidden layer", "mlp"), *TINY, tiny_npz, status=0)
    shown = "print(classifier.metadata['epoch'] > 0, type(classifier).__name__)"
    assert run("-c", f"{loading}{shown}", status=0).stdout == "True MLP\n"


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
