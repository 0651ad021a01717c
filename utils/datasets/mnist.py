"""Find MNIST on this machine, otherwise download it."""

import os
from collections.abc import Callable
from pathlib import Path

from utils.errors import DatasetError, MnistUnavailableError

from . import download, idx, user_cache

NAME = "mnist.pkl.gz"
_DATA = Path(__file__).resolve().parents[2] / "data"


def folders():
    """List where MNIST is looked for besides the current folder; None is nowhere.

    The last is the folder that it is downloaded to.
    """
    cache = user_cache.folder()
    mnist = cache and os.path.join(cache, "mnist")
    places = _DATA, os.environ.get("LOGREG_DATA"), mnist
    return [place and os.path.expanduser(place) for place in places]


def find_mnist(
    offline: bool = False, notify: Callable[[str], object] | None = None
) -> str:
    """Find the files that the bare name ``mnist.pkl.gz`` stands for.

    It is looked for in the current folder, in ``data/`` beside the scripts, in the
    folder that the environment variable ``LOGREG_DATA`` names, and in the user's
    cache (see `user_cache.folder`); in the last three also as MNIST's four IDX files,
    gzipped or not. Otherwise those are downloaded into the user's cache.

    Parameters
    ----------
    offline, notify
        See `utils.datasets.load`.

    Returns
    -------
    str
        Path of the file, or of the folder of the four.

    Raises
    ------
    MnistUnavailableError
        If MNIST is not here and cannot be downloaded; every place is named.
    """
    tried = [os.path.abspath(NAME)]
    if os.path.isfile(NAME):
        return tried[0]
    *_, mnist = places = folders()
    for folder in filter(None, places):
        path = os.path.join(folder, NAME)
        if os.path.isfile(path):
            return path
        # A download may have been broken off; a person's own files may be others.
        lacks = download.missing(folder) if folder is mnist else idx.paths(folder)[1]
        if not lacks:
            return folder
        tried.append(os.path.abspath(folder))
    if offline:
        reason = "it is not downloaded, as asked for"
    elif mnist is None:
        reason = "there is no home folder to download it to; set LOGREG_CACHE"
    else:
        try:
            download.fetch(mnist, notify)
            return mnist
        except DatasetError as error:
            reason = str(error)
    raise MnistUnavailableError(
        f"MNIST is not in {', '.join(tried)}, and {reason}. "
        f"Put {NAME} or the four files {', '.join(idx.FILES)} (gzipped or not) in "
        f"{_DATA}, or set LOGREG_DATA to the folder where they are."
    )
