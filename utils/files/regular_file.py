"""Open a file whose path a stranger may have chosen."""

import errno
import os
import stat

MAX_BYTES = 2**32


def open_regular(path):
    """Open a regular file for reading bytes.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    file : binary file
    size : int
        The most bytes to read: those it has, or `MAX_BYTES` of more.

    Raises
    ------
    OSError
        If it cannot be opened, or is a device or a pipe, which may never end.
    """
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "it is a device, pipe or socket")
    return open(path, "rb"), min(status.st_size, MAX_BYTES)
