"""Models that are too large for the memory, and what is said of the lack of it."""

import re
import sys
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as T
import pytest

from logistic_sgd import sgd_optimization_mnist
from utils.cli import command_line
from utils.errors import DatasetError
from utils.training.memory import memory_at_hand

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits it on Linux")


@needs_linux
def test_features_times_classes(tmp_path, one_gibibyte):
    """30 training examples, and weights that would take 4 GB, a few times."""
    x, y = np.zeros((42, 10**6), np.uint8), np.zeros(42, int)
    y[1] = 1029
    named = r"arrays .30 \+ 6 .*: .*1,000,000 features x 1,030 classes.* GiB are free"
    with pytest.raises(DatasetError, match=named):
        sgd_optimization_mnist(
            dataset=(x, y), batch_size=2, model=tmp_path / "best_model.pkl"
        )


@needs_linux
def test_memory_at_hand(one_gibibyte):
    import resource

    text = Path("/proc/meminfo").read_text()
    total = sum(map(int, re.findall(r"(?:MemTotal|SwapTotal): +(\d+)", text))) * 1024
    assert 0 < memory_at_hand() <= total
    assert memory_at_hand() <= resource.getrlimit(resource.RLIMIT_AS)[0]


def of_numpy(options):
    np.empty((2**22, 2**22))


def of_pytensor(options):
    pytensor.function([], T.zeros((2**22, 2**22)), mode="FAST_COMPILE")()


def of_python(options):
    raise MemoryError


@pytest.mark.parametrize("action", [of_numpy, of_pytensor, of_python])
def test_lack_of_memory_is_one_line(capsys, action):
    parser = command_line.parser("a.py", "A script.", n_epochs=1)
    assert command_line.run(parser, action, [], "float32") == 1
    line = capsys.readouterr().err
    assert re.fullmatch(r"a.py: error: expected enough memory, .*machine\.\n", line)
