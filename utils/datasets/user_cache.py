"""The folder of the user's cache."""

import os
import sys


def folder():
    """Return the project's folder in the user's cache; it need not exist yet.

    It is the folder that the environment variable ``LOGREG_CACHE`` names, otherwise
    ``logreg`` in the system's folder for caches: ``$XDG_CACHE_HOME`` or ``~/.cache``,
    ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows.

    Returns
    -------
    str or None
        An absolute path; None where the user has no home folder.
    """
    chosen = os.environ.get("LOGREG_CACHE")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    base = os.path.expanduser(base)
    return os.path.join(base, "logreg") if os.path.isabs(base) else None
