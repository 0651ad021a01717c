"""The program as a package among others: its `utils`, version, types and archive."""

import importlib
import inspect
import platform
from importlib.metadata import version

import pytest
from processes import REPOSITORY, SCRIPTS, SGD, error_line

import logistic_cg
import logistic_sgd
import utils

# A stranger's `utils`, which comes before this program's on Python's path

# As an editable install of this program does it: its modules are found after others'.
BESIDE = f"__path__.append({str(REPOSITORY / 'utils')!r})"


@pytest.fixture
def stranger(tmp_path):
    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        return str(tmp_path / next(iter(files)))

    return write


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "files, reason",
    [
        ({"utils.py": ""}, "'utils' is not a package"),
        ({"utils.py": "import missing"}, "No module named 'missing'"),
        ({"utils/__init__.py": "", "utils/cli.py": ""}, "cannot import name 'startup'"),
        ({"utils/__init__.py": BESIDE, "utils/datasets.py": ""}, "utils.datasets is "),
    ],
)
def test_shadowed_utils_is_one_line(run, stranger, script, files, reason):
    found = stranger(files)
    name = script.removesuffix(".py")
    program = f"import runpy; runpy.run_module('{name}', run_name='__main__')"
    line = error_line(run("-c", program))
    expected = f"{script}: error: expected its own package `utils`, found {found} ("
    assert line.startswith(expected) and reason in line
    assert line.endswith("checkout of this program, or rename the other `utils`.")


def test_shadowed_utils_is_an_import_error(run, stranger):
    """A program that imports a script can catch it; other names do no harm."""
    found = stranger({"utils/__init__.py": BESIDE, "utils/plots.py": ""})
    run("-c", "from utils import plots; from utils.cli import options", status=0)
    stranger({"utils/datasets.py": ""})
    *_, line = run("-c", "import logistic_sgd", status=1).stderr.splitlines()
    assert line.startswith(f"ImportError: {SGD}: error: expected ") and found in line


# Version and types


@pytest.mark.parametrize("script", [logistic_sgd, logistic_cg])
def test_version_is_one_line(script, capsys):
    with pytest.raises(SystemExit) as end:
        script.main(["--version"])
    versions = f"(PyTensor {version('pytensor')}, Python {platform.python_version()})"
    expected = f"{script.__name__}.py {utils.__version__} {versions}\n"
    assert (end.value.code, capsys.readouterr().out) == (0, expected)


@pytest.mark.parametrize(
    "room", ["", ".backends", ".datasets", ".digit_image", ".files", ".training"]
)
def test_functions_of_a_room_are_annotated(room):
    door = importlib.import_module(f"utils{room}")
    functions = filter(inspect.isfunction, (getattr(door, n) for n in door.__all__))
    expected = {f: {*inspect.signature(f).parameters, "return"} for f in functions}
    assert expected
    assert {f: set(f.__annotations__) for f in expected} == expected
