"""Read an .npz of four arrays, as Keras ships its datasets.

An .npz is a zip archive of .npy files. What its headers claim is checked before
memory is taken, and pickled (object) arrays are refused, as by
``numpy.load(path, allow_pickle=False)``.
"""

import os
import zipfile

from utils.errors import DatasetError

from .npy import read_npy
from .streams import inflated_limit

_MEMBERS = ("x_train", "y_train", "x_test", "y_test")


def read(path):
    """Read the training and test sets of an .npz file.

    Parameters
    ----------
    path : str

    Returns
    -------
    list of two (x, y) pairs
        Training and test, of the shapes and dtypes that the file has.

    Raises
    ------
    Exception
        If a member is missing or broken; `reading.reading` makes it a `DatasetError`.
    """
    with zipfile.ZipFile(path) as archive:
        # Other members are never read, wherever their names point.
        members = {info.filename: info for info in archive.infolist()}
        missing = [name for name in _MEMBERS if name + ".npy" not in members]
        if missing:
            raise DatasetError(
                f"{path}: expected the arrays {', '.join(_MEMBERS)}, found no "
                f"{', '.join(missing)}. Save it with "
                "numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."
            )
        arrays = [
            _read_member(path, archive, members[name + ".npy"]) for name in _MEMBERS
        ]
    return [tuple(arrays[:2]), tuple(arrays[2:])]


def _read_member(path, archive, info):
    where = f"{path}, {info.filename}"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DatasetError(
            f"{where}: expected a stored or deflated array, found compression method "
            f"{info.compress_type}. Save it with numpy.savez_compressed."
        )
    if info.flag_bits & 1:
        raise DatasetError(f"{where}: expected an array, found an encrypted one.")
    compressed = min(info.compress_size, os.path.getsize(path))
    limit = inflated_limit(compressed)
    if info.file_size > limit:
        raise DatasetError(
            f"{where}: expected at most {limit} bytes of {compressed} compressed ones, "
            f"found a claim of {info.file_size}. Get the file again from where you "
            "trust it."
        )
    with archive.open(info) as stream:
        array = read_npy(stream, info.file_size, where)
        if stream.read(1):
            raise DatasetError(f"{where}: found more bytes than its header says.")
    return array
