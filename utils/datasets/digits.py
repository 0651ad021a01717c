"""The digits that scikit-learn carries, for a machine without a network."""

import numpy as np

from utils.errors import DatasetError

_N_TRAIN, _N_VALID = 1197, 300


def read():
    """Read the digits in file order: 1,197 for training, 300 validation, 300 test.

    Returns
    -------
    list of three (x, y) pairs
        x ``(n, 64)`` float32, pixels / 16; y ``(n,)`` integer, 0 to 9.

    Raises
    ------
    DatasetError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DatasetError(
            f"digits: expected scikit-learn, which carries them, found {error}. "
            "Install it: python -m pip install scikit-learn"
        ) from error
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    valid = slice(_N_TRAIN, _N_TRAIN + _N_VALID)
    return [
        (x[: valid.start], y[: valid.start]),
        (x[valid], y[valid]),
        (x[valid.stop :], y[valid.stop :]),
    ]
