"""Recognise a dataset's format, and read it."""

import itertools
import os

from utils.errors import DatasetError
from utils.files import array_pickle

from . import decoded_cache, idx, numpy_files
from .arrays import is_sequence
from .splits import NAMES, check, split_validation
from .streams import describe, open_stream, recognise

_ZIP_MAGICS = (b"PK\3\4", b"PK\5\6")
_IDX_MAGICS = (b"\0\0\10\1", b"\0\0\10\3")


def read(path):
    """Read and check a dataset, if possible from the decoded cache.

    `path` is that of a folder of IDX or .npy files, of an .npz, or of a pickle, gzipped
    or not. The splits are as `splits.check` gives them. Where there is no such dataset,
    or it is broken, any exception is raised; `streams.reading` makes it a DatasetError.
    """
    sources = idx.paths(path)[0] if os.path.isdir(path) else [path]
    entry = decoded_cache.entry(sources)
    splits = entry and decoded_cache.load(entry)
    if splits:
        return splits
    splits = check(_decode(path), path)
    # The file may have been replaced while it was read.
    if entry and entry == decoded_cache.entry(sources):
        decoded_cache.store(entry, splits)
    return splits


def places(path):
    """List the files that `read` looks for, in a folder also those that are missing."""
    if not os.path.isdir(path):
        return [path]
    names = *numpy_files.FILES, *itertools.chain(*map(idx.variants, idx.FILES))
    return [os.path.join(path, name) for name in names]


def _decode(path):
    if os.path.isdir(path):
        is_npy = any(os.path.exists(os.path.join(path, f)) for f in numpy_files.FILES)
        read = numpy_files.read_folder if is_npy else idx.read
        return split_validation(*read(path))
    with open_stream(path) as (stream, size):
        head = stream.peek(256)[:256]
        if head.startswith(_ZIP_MAGICS):
            return split_validation(*numpy_files.read_npz(path))
        if head.startswith(_IDX_MAGICS):
            raise DatasetError(
                f"{path}: expected a whole dataset, found one IDX file. Name the "
                "folder that holds the four of them."
            )
        if path.endswith(".npz") or recognise(head):
            raise DatasetError(f"{path}: expected a dataset, found {describe(head)}")
        return _unpickle(path, stream, size)


def _unpickle(path, stream, size):
    try:
        pairs = array_pickle.load(stream, size=size)
    except array_pickle.ArrayPickleError as error:
        raise DatasetError(
            f"{path}: {error}. Get the file again from where you trust it."
        ) from error
    if not is_sequence(pairs, 3) or not all(is_sequence(pair, 2) for pair in pairs):
        raise DatasetError(
            f"{path}: expected three (images, labels) pairs, for {', '.join(NAMES)}, "
            f"found a {type(pairs).__name__} of another layout."
        )
    return pairs
