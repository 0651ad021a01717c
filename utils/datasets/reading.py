"""Turn whatever fails while a dataset is read into one `DatasetError`."""

import contextlib

from utils.errors import DatasetError

_LONGEST_REASON = 300


@contextlib.contextmanager
def reading(path):
    """Turn whatever fails in the block into a `DatasetError` that names `path`."""
    try:
        yield
    except DatasetError:
        raise
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: expected a dataset, found no such file or folder. Check the "
            "path, or name digits or mnist.pkl.gz."
        ) from error
    except PermissionError as error:
        raise DatasetError(
            f"{path}: expected a dataset, found no permission to read it. Change its "
            "permissions or copy it."
        ) from error
    except MemoryError as error:
        raise DatasetError(
            f"{path}: more memory is needed than this machine has free. Use a smaller "
            "dataset."
        ) from error
    # A broken or hostile file can fail in zlib, zipfile or NumPy in many ways.
    except Exception as error:
        # zipfile's messages quote the file, kilobytes of it.
        reason = str(error)[:_LONGEST_REASON] or type(error).__name__
        raise DatasetError(
            f"{path}: cannot be read as a dataset ({reason}). It may be cut "
            "short or damaged: get the file again."
        ) from error
