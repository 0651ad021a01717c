"""The programs that `compare.py` runs: this project's two scripts and their peers."""

import os
import shutil
import site
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"

# Test errors in percent that the tutorial's original program printed.
SGD_TEST_ERROR = 7.489583
CG_TEST_ERROR = 7.416667


@dataclass(frozen=True)
class Program:
    """One program of the comparison.

    Attributes
    ----------
    key : str
        Its name on the command line.
    title : str
        Its name in the tables.
    arguments : tuple of str
        The script and its options, without the dataset.
    needs : tuple of str
        Modules without which it cannot run; the first gives its version.
    test_error : float or None
        The test error in percent that it must reach, None where it is another
        algorithm.
    compiler : {"needed", "unused", "hidden"}
        Whether it needs a C compiler, or must not find one on the PATH.
    """

    key: str
    title: str
    arguments: tuple
    needs: tuple
    test_error: float | None = SGD_TEST_ERROR
    compiler: str = "unused"

    @property
    def is_ours(self):
        return self.arguments[0].startswith("logistic")

    @property
    def is_cg(self):
        return "_cg" in self.arguments[0]

    @property
    def is_c(self):
        return self.arguments[0].endswith(".c")

    def missing(self):
        """Return what the program lacks on this machine, "" where it can run."""
        lacking = [name for name in self.needs if find_spec(name) is None]
        if lacking:
            return f"Python module {', '.join(lacking)}"
        if self.compiler == "needed" and not c_compiler():
            return "a C compiler"
        if self.is_ours and not (ROOT / self.arguments[0]).exists():
            return f"{ROOT / self.arguments[0]}"
        return ""

    def versions(self):
        """Return the version of the library that does the arithmetic."""
        distribution = {"sklearn": "scikit-learn"}
        names = [distribution.get(name, name) for name in self.needs]
        try:
            return ", ".join(f"{name} {version(name)}" for name in names)
        except PackageNotFoundError:
            return ", ".join(names)


def ours(key, title, script, backend, **details):
    """Return a `Program` that is one of this project's scripts on one backend."""
    needs = ("pytensor",) if backend == "c" else ("pytensor", backend)
    arguments = (script, "--quiet", "--backend", backend)
    return Program(key, title, arguments, needs, **details)


PROGRAMS = (
    ours("c", "this, C", "logistic_sgd.py", "c", compiler="needed"),
    ours(
        "numba",
        "this, Numba, no compiler",
        "logistic_sgd.py",
        "numba",
        compiler="hidden",
    ),
    ours("jax", "this, JAX", "logistic_sgd.py", "jax"),
    Program("numpy", "NumPy", ("numpy_sgd.py",), ("numpy",)),
    Program("pytorch", "PyTorch", ("pytorch_sgd.py",), ("torch", "numpy")),
    Program("jax-step", "JAX, jitted step", ("jax_step.py",), ("jax", "numpy")),
    Program("jax-scan", "JAX, jitted scan", ("jax_scan.py",), ("jax", "numpy")),
    Program(
        "jax-transposed",
        "JAX, jitted scan, W as (n_out, n_in)",
        ("jax_scan.py", "--transposed"),
        ("jax", "numpy"),
    ),
    Program(
        "sklearn",
        "scikit-learn (one against all)",
        ("sklearn_sgd.py",),
        ("sklearn", "numpy"),
        test_error=None,
    ),
    Program(
        "handwritten", "C by hand, no Python", ("handwritten.c",), (), compiler="needed"
    ),
    Program(
        "handwritten-training",
        "C by hand, its training alone",
        ("handwritten.c", "1000"),
        (),
        compiler="needed",
    ),
    ours(
        "cg",
        "this, C, conjugate gradient",
        "logistic_cg.py",
        "c",
        compiler="needed",
        test_error=CG_TEST_ERROR,
    ),
    Program(
        "numpy-cg",
        "NumPy with SciPy, conjugate gradient",
        ("numpy_cg.py",),
        ("numpy", "scipy"),
        test_error=CG_TEST_ERROR,
    ),
)


def c_compiler():
    """Return the path of a C compiler, None where there is none."""
    return shutil.which(os.environ.get("CC") or "cc") or shutil.which("gcc")


def run_quietly(command, env=None):
    """Return what a command prints; its messages are a RuntimeError where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def compile_handwritten(folder):
    """Compile `handwritten.c` in `folder`; return the program's path."""
    program = str(folder / "handwritten")
    flags = "-O3 -march=native -ffast-math -fopenmp".split()
    source = str(PEERS / "handwritten.c")
    run_quietly([c_compiler(), *flags, source, "-o", program, "-lm"])
    return program


def build_handwritten(program, dataset, folder):
    """Compile `handwritten.c` and write the data as it reads them.

    Parameters
    ----------
    program : Program
        The one whose options it gets.
    dataset, folder : pathlib.Path
        The dataset, and the folder for the program and its data.

    Returns
    -------
    list of str
        The command that runs it.

    Raises
    ------
    RuntimeError
        If the compiler or the conversion fails; the message is theirs.
    """
    data = str(folder / "mnist.raw")
    # In a child: a parent that held the data would lend its size to every child.
    conversion = [sys.executable, str(PEERS / "lesson.py"), "--dataset", str(dataset)]
    run_quietly([*conversion, "--output", data])
    return [compile_handwritten(folder), data, *program.arguments[1:]]


def command_line(program, dataset, folder):
    """Return the command of a Python program; models are saved in `folder`."""
    script, *options = program.arguments
    path = (ROOT if program.is_ours else PEERS) / script
    if program.is_ours:
        options += ["--model", str(folder / "best_model.pkl")]
    return [sys.executable, str(path), *options, "--dataset", str(dataset)]


def environment(program, folder):
    """Return the environment of a run whose every cache lies in `folder`."""
    caches = folder.resolve()
    flags = [
        flag
        for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",")
        if flag and not flag.startswith(("base_compiledir", "compiledir"))
    ]
    variables = os.environ | {
        "HOME": str(caches),
        "XDG_CACHE_HOME": str(caches / "cache"),
        "PYTENSOR_FLAGS": ",".join([*flags, f"base_compiledir={caches / 'pytensor'}"]),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "torch"),
        "LOGREG_CACHE": str(caches / "logreg"),
        # Packages of the user's own folder are found through HOME unless it is named.
        "PYTHONUSERBASE": site.getuserbase(),
    }
    variables.pop("JAX_COMPILATION_CACHE_DIR", None)
    if program.compiler == "hidden":
        variables["PATH"] = str(caches / "no-compiler-here")
        variables.pop("CXX", None)
    return variables
