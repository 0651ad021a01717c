"""The digits that scikit-learn carries, for a machine without a network."""

import numpy as np

from utils.errors import DatasetError


def read():
    """Read the digits in file order, as three (x, y) pairs.

    x is ``(n, 64)`` float32, pixels / 16; y ``(n,)`` integer, 0 to 9.
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
    ends = [1197, 1197 + 300]  # of the training and of the validation split
    return list(zip(np.split(x, ends), np.split(y, ends), strict=True))
