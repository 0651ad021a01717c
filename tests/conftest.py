"""Data that the tests share: a tiny dataset, and the real files where they are."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
def tiny_npz(tmp_path, tiny_arrays):
    """The tiny dataset as Keras ships its own: 120 images to train on, 30 to test.

    The last sixth of the 120 is validation: splits of 100, 20 and 30.
    """
    x, y = tiny_arrays
    path = tmp_path / "tiny.npz"
    images = x.reshape(-1, 3, 4)
    np.savez(
        path, x_train=images[:120], y_train=y[:120], x_test=images[120:], y_test=y[120:]
    )
    return path


@pytest.fixture
def tiny_splits(tiny_arrays):
    """What `tiny_npz` holds, cut and scaled here: three pairs of float64 and int."""
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
def warm_caches(tmp_path_factory):
    """PYTENSOR_FLAGS that name a compile cache which the processes of tests share."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    place = [flag for flag in flags.split(",") if "compiledir" in flag]
    return place[-1] if place else f"base_compiledir={tmp_path_factory.mktemp('warm')}"


@pytest.fixture
def run_script(tmp_path, warm_caches):
    """Run a script in the folder ``folder``; None removes an environment variable."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def call(script, *arguments, python=(), redirect="", **options):
        changes = {"PYTENSOR_FLAGS": warm_caches} | options.pop("environment", {})
        environment = {**os.environ, **changes}
        command = [sys.executable, *python, REPOSITORY / script, *arguments]
        if redirect:
            command = ["sh", "-c", f'"$@" {redirect}', "sh", *command]
        return subprocess.run(
            command,
            env={k: str(v) for k, v in environment.items() if v is not None},
            capture_output=True,
            timeout=300,
            **({"text": True, "cwd": folder} | options),
        )

    return call


def error_line(finished):
    """The only line on standard error of a script that ended with status 1."""
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert ".py: error: " in line
    return line


@pytest.fixture
def folder():
    """A temporary folder, in memory where the system has it, for thousands of files."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
