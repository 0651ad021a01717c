"""Data and processes that the tests share: a tiny dataset, the real files, scripts."""

import functools
import os
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

# Tests run beside each other, and threads would spin for each other's turn.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import processes
import pytensor
import pytest
from processes import REPOSITORY
from pytensor.compile.mode import Mode

from utils.backends import c_compiler, compilation_mode

__all__ = [
    "BACKENDS",
    "REPOSITORY",
    "needs_compiler",
    "needs_full",
    "needs_jax",
    "needs_posix",
]

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs devices")
needs_compiler = pytest.mark.skipif(
    bool(c_compiler.find().error),
    reason=f"needs a C++ compiler: {c_compiler.find().error}",
)
needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="needs the extra `jax`")
BACKENDS = [
    pytest.param("c", marks=needs_compiler),
    "numba",
    pytest.param("jax", marks=needs_jax),
]

# A shell has what it runs in the background ignore Ctrl-C, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_floatX():
    """A script that runs in this process sets floatX; the next test has its own."""
    with pytensor.config.change_flags(floatX=pytensor.config.floatX):
        yield


@pytest.fixture
def one_gibibyte():
    """The memory that the test may take, above what this process has."""
    from hostile_cases import limit_memory

    limit_memory(1024)
    yield
    limit_memory(None)


@pytest.fixture
def by_python():
    """Python runs the graphs, rewritten as for C but for fusion; nothing is compiled.

    Fused, they would run number by number: slowly, and PyTensor would invert True to
    -2 there, of which Python warns.
    """
    mode = Mode("py", "fast_run").excluding("fusion")
    with pytensor.config.change_flags(mode=mode):
        yield


@pytest.fixture
def tiny_arrays():
    """Three classes of noisy 12-pixel images: ``(x, y)`` with byte pixels."""
    rng = np.random.default_rng(20)
    y = rng.integers(0, 3, size=150).astype("uint8")
    y[:3] = 0, 1, 2
    templates = rng.integers(0, 256, size=(3, 12))
    x = 0.5 * templates[y] + 0.5 * rng.integers(0, 256, size=(150, 12))
    return x.astype("uint8"), y


@pytest.fixture
def tiny_set(tiny_arrays):
    """The tiny dataset as Keras names its own: 120 images to train on, 30 to test.

    The last sixth of the 120 is validation: splits of 100, 20 and 30.
    """
    x, y = tiny_arrays
    x = x.reshape(-1, 3, 4)
    return dict(x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])


@pytest.fixture
def tiny_npz(tmp_path, tiny_set):
    np.savez(tmp_path / "tiny.npz", **tiny_set)
    return tmp_path / "tiny.npz"


@pytest.fixture
def tiny_splits(tiny_arrays):
    """What `tiny_set` holds, cut and scaled here: three pairs of float64 and int."""
    x, y = tiny_arrays
    cuts = slice(0, 100), slice(100, 120), slice(120, 150)
    return [(x[cut] / 256.0, y[cut].astype(int)) for cut in cuts]


@pytest.fixture(scope="session")
def mnist_folder():
    """The folder of the real MNIST files, named by LOGREG_DATA."""
    folder = os.environ.get("LOGREG_DATA")
    if not folder:
        pytest.skip("needs the real MNIST files: set LOGREG_DATA to their folder")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def trained_on_mnist(mnist_folder, tmp_path_factory):
    """The result of three epochs in float32."""
    from logistic_sgd import sgd_optimization_mnist

    path = tmp_path_factory.mktemp("trained") / "best_model.pkl"
    with pytensor.config.change_flags(floatX="float32"):
        return sgd_optimization_mnist(n_epochs=3, dataset=mnist_folder, model=path)


@pytest.fixture
def start(tmp_path):
    """`processes.start` in the temporary folder, which kills what still runs then."""
    started = []

    def call(*command, **options):
        started.append(processes.start(*command, **({"cwd": tmp_path} | options)))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(tmp_path):
    """`processes.run` in the temporary folder."""
    return functools.partial(processes.run, cwd=tmp_path)


@pytest.fixture
def old(tmp_path):
    """A file, alone in the temporary folder."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def temporary(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture(params=BACKENDS)
def mode(request):
    """The mode of each backend."""
    return compilation_mode(request.param)


@pytest.fixture
def folder():
    """A temporary folder, in memory where the system has it, for thousands of files."""
    with tempfile.TemporaryDirectory(dir=processes.MEMORY) as folder:
        yield Path(folder)
