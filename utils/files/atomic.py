"""Write a file whole or not at all."""

import contextlib
import errno
import os
import re
import secrets
import stat
from pathlib import Path

from utils.errors import WriteError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ADVICE = {
    errno.ENOSPC: "free some space, or name a file on another disk",
    errno.EDQUOT: "free some of your quota, or name a file on another disk",
    errno.EFBIG: "raise the limit of file sizes, or name a file on another disk",
    errno.ENOENT: "create the folder, or name a file in one that exists",
    errno.ENOTDIR: "name a file in a folder that exists",
}
_OTHER_ADVICE = "name a file in a folder where you may write"


def write_atomic(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes to a temporary file, and give it the name of the file then.

    The temporary file is in the same folder. On return the data are on the disk, under
    their name: a loss of power leaves the old file or the new one. A symbolic link is
    followed.

    Parameters
    ----------
    path : str or os.PathLike
        An existing file is replaced in one step.
    data : bytes

    Raises
    ------
    WriteError
        Naming the file, the reason and what to do. The temporary file is then removed
        and an existing `path` left as it was.
    """
    with _explained(path):
        path = Path(os.path.realpath(path))
        _check_regular(path)
        _sweep(path)
        temporary, handle = _create(path)
        try:
            # Where it can be locked, it is kept open, and so locked, until it is named.
            with os.fdopen(handle, "wb", closefd=not fcntl) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            if fcntl:
                os.close(handle)
        _sync_folder(path.parent)


def check_writable(path: str | os.PathLike) -> None:
    """Raise the `WriteError` that `write_atomic` would raise; no file is changed."""
    with _explained(path):
        _try_temporary(Path(os.path.realpath(path)))


def make_folder(path: str | os.PathLike) -> None:
    """Make a folder, and those above it, if it is missing.

    A `WriteError` says if it cannot be made, or no file can be written in it.
    """
    advice = "name a folder where you may write"
    with _explained(path, "made", advice):
        os.makedirs(path, exist_ok=True)
    with _explained(path, "written to", advice):
        _try_temporary(Path(path) / "file")


@contextlib.contextmanager
def _explained(path, verb="written", advice=None):
    """Turn an `OSError` into a `WriteError` that says the path, why, and what to do."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: no file can have that name
        number = getattr(error, "errno", None)
        advice = advice or _ADVICE.get(number, _OTHER_ADVICE)
        reason = getattr(error, "strerror", None) or error
        failure = WriteError(f"{path}: cannot be {verb} ({reason}): {advice}.")
        failure.errno, failure.filename = number, str(path)
        raise failure from error


def _check_regular(path):
    """Refuse to replace anything but a file, and a name that no file can have."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            # A file renamed over a device, such as /dev/null, would take its place.
            kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise OSError(errno.EINVAL, f"it is {kind}")


def _try_temporary(path):
    _check_regular(path)
    temporary, handle = _create(path)
    os.close(handle)
    os.unlink(temporary)


def _create(path):
    """Create a temporary file beside `path`, locked for as long as its writer lives.

    The kernel drops the lock when the process ends, however it ends. Unlike the age of
    a file or the number of a process, a lock never mistakes a living writer for a dead
    one.
    """
    while True:
        temporary = path.with_name(_prefix(path) + secrets.token_hex(4))
        # With 0o666 the file gets the permissions that the person's umask leaves.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if _lock(handle) and os.fstat(handle).st_nlink == 0:
            os.close(handle)  # swept by another before it was locked
            continue
        return temporary, handle


def _prefix(path):
    """Begin a temporary file's name; a file system counts its bytes, often to 255."""
    return f".{os.fsencode(path.name)[:64].decode(errors='ignore')}."


def _lock(handle, flags=0):
    """Lock an open file; False if its file system cannot, or another has locked it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | flags)
    except OSError:
        return False
    return True


def _sweep(path):
    """Remove temporary files of `path` whose writers were killed."""
    if fcntl is None:
        return
    pattern = re.compile(re.escape(_prefix(path)) + "[0-9a-f]{8}")
    # Failures here do not matter: a file can be another user's, or already gone.
    with contextlib.suppress(OSError):
        for name in filter(pattern.fullmatch, os.listdir(path.parent)):
            with contextlib.suppress(OSError):
                _remove_unlocked(path.with_name(name))


def _remove_unlocked(path):
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        if regular and _lock(handle, fcntl.LOCK_NB):
            os.unlink(path)
    finally:
        os.close(handle)


def _sync_folder(folder):
    """Make the new name reach the disk, too."""
    # The file is in place; Windows and some file systems refuse to sync a folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
