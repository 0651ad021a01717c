"""The memory that a model needs, and what this machine has."""

import contextlib
import math
import os
import re
from pathlib import Path

import numpy as np
import pytensor

from utils.errors import DatasetError

# Times that the parameters are in memory at once, measured: as such, as their gradient,
# in the best model and as its file. SciPy's conjugate gradient keeps many vectors.
COPIES, COPIES_OF_CONJUGATE_GRADIENT = 4, 15


def check_size(dataset, n_in, n_out, trained_by):
    """Raise a `DatasetError` if training a W of features x classes needs more memory.

    `dataset` is its name for the message, `trained_by` the training algorithm.
    """
    is_cg = trained_by == "conjugate gradient"
    copies = COPIES_OF_CONJUGATE_GRADIENT if is_cg else COPIES
    needed = copies * n_in * n_out * np.dtype(pytensor.config.floatX).itemsize
    found = memory_at_hand()
    if needed > found:
        raise DatasetError(
            f"{dataset}: expected a model that fits into memory, found {n_in:,} "
            f"features x {n_out:,} classes: training takes {needed / 2**30:,.1f} GiB, "
            f"and {found / 2**30:,.1f} GiB are free. Use fewer features, or number the "
            "classes without gaps."
        )


def memory_at_hand():
    """Bytes that this process may take, as far as the system tells; or infinity."""
    found = [math.inf]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ImportError):  # Windows
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [limit] if limit != resource.RLIM_INFINITY else []
    with contextlib.suppress(OSError):
        text = Path("/proc/meminfo").read_text()
        free = re.findall(r"(?:MemAvailable|SwapFree): +(\d+) kB", text)
        found.append(sum(map(int, free)) * 1024)
    with contextlib.suppress(OSError, ValueError):  # in a container; "max" is no limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found)
