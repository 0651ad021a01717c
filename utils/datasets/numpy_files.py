"""Read the four arrays of a dataset, named as by Keras, from NumPy's files.

They are the members of an .npz, which is a zip archive of .npy files, or a folder of
.npy files, where bytes can be mapped into memory.
"""

import os
import zipfile

import numpy as np

from utils.errors import DatasetError
from utils.files.npy import read_header, read_npy
from utils.files.regular_file import open_zip, stored_bytes

from .mapping import map_bytes
from .streams import inflated_limit, is_plain, open_stream

NAMES = ("x_train", "y_train", "x_test", "y_test")
FILES = tuple(f"{name}.npy" for name in NAMES)


def read_npz(path):
    """Read an .npz file: a list of the arrays of `NAMES`, as the file has them."""
    with open_zip(path) as (archive, _):
        # Other members are never read, wherever their names point.
        members = {info.filename: info for info in archive.infolist()}
        missing = [name for name in NAMES if f"{name}.npy" not in members]
        if missing:
            raise DatasetError(
                f"{path}: expected the arrays {', '.join(NAMES)}, found no "
                f"{', '.join(missing)}. Save it with "
                "numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."
            )
        return [_read_member(path, archive, members[file]) for file in FILES]


def read_folder(folder):
    """Read a folder of .npy files: a list of the arrays of `NAMES`, as they are there.

    Images of bytes in C order are mapped, see `mapping.map_bytes`.
    """
    missing = [file for file in FILES if not os.path.exists(os.path.join(folder, file))]
    if missing:
        raise DatasetError(
            f"{folder}: expected the files {', '.join(FILES)}, found no "
            f"{', '.join(missing)}. Save each array with numpy.save."
        )
    return [_read_file(os.path.join(folder, file)) for file in FILES]


def _read_member(path, archive, info):
    where = f"{path}, {info.filename}"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DatasetError(
            f"{where}: expected a stored or deflated array, found compression method "
            f"{info.compress_type}. Save it with numpy.savez_compressed."
        )
    if info.flag_bits & 1:
        raise DatasetError(f"{where}: expected an array, found an encrypted one.")
    compressed = min(info.compress_size, stored_bytes(archive.fp))
    limit = inflated_limit(compressed)
    if info.file_size > limit:
        raise DatasetError(
            f"{where}: expected at most {limit} bytes of {compressed} compressed ones, "
            f"found a claim of {info.file_size}. Get the file again from where you "
            "trust it."
        )
    with archive.open(info) as stream:
        return read_npy(stream, info.file_size, info.filename)


def _read_file(path):
    with open_stream(path) as (stream, size):
        if is_plain(stream):
            shape, dtype, fortran_order = read_header(stream)
            if dtype == np.uint8 and len(shape) > 1 and not fortran_order:
                return map_bytes(stream, shape)
            stream.seek(0)
        return read_npy(stream, size, os.path.basename(path))
