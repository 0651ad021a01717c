"""Datasets with a name: found on this machine, otherwise downloaded.

MNIST and Fashion-MNIST are published as files of the same four names. Of a download,
and of Fashion-MNIST wherever it lies, the checksums decide which of the two it is.
"""

import os
from collections.abc import Callable
from pathlib import Path

from utils.errors import DatasetError, MnistUnavailableError

from . import download, idx, user_cache
from .download import Published

MNIST, FASHION_MNIST = "mnist.pkl.gz", "fashion_mnist"
_SETS = {
    MNIST: Published(
        title="MNIST",
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        pinned=(
            "9912422 sha256:"
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "28881 sha256:"
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "1648877 sha256:"
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "4542 sha256:"
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    # The table in the README of https://github.com/zalandoresearch/fashion-mnist gives
    # the first address and the checksums; the second is the repository's own copy.
    FASHION_MNIST: Published(
        title="Fashion-MNIST",
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
            "data/fashion/",
        ),
        pinned=(
            "26421880 md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "29515 md5:25c81989df183df01b3e8a0aad5dffbe",
            "4422102 md5:bef4ecab320f06d8554ea6380940ec79",
            "5148 md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
}
_DATA = Path(__file__).resolve().parents[2] / "data"


def published_name(dataset: str) -> str | None:
    """Return the name of the published set that a dataset's name stands for, or None.

    ``mnist`` is one for MNIST too, where no file or folder is called so.
    """
    if dataset == "mnist" and not os.path.exists(dataset):
        return MNIST
    return dataset if dataset in _SETS else None


def class_names(dataset: str) -> tuple[str, ...]:
    """Return the names of a dataset's classes: a tuple of str, empty if it has none."""
    return _SETS[dataset].class_names if dataset in _SETS else ()


def folders(name):
    """List where a published set is looked for; None is nowhere.

    The last is the folder that it is downloaded to. MNIST is looked for in the current
    folder too, as a file.
    """
    cache, chosen = user_cache.folder(), os.environ.get("LOGREG_DATA")
    if name == MNIST:
        places = [_DATA, chosen, cache and os.path.join(cache, "mnist")]
    else:
        own = [place and os.path.join(place, name) for place in (_DATA, chosen, cache)]
        places = [name, *own[:2], chosen, own[2]]
    return [place and os.path.expanduser(place) for place in places]


def find(
    name: str, offline: bool = False, notify: Callable[[str], object] | None = None
) -> str:
    """Find the files of a published set, or download them.

    MNIST is looked for as ``mnist.pkl.gz`` in the current folder, in ``data/`` beside
    the scripts, in the folder that the environment variable ``LOGREG_DATA`` names, and
    in the user's cache (see `user_cache.folder`); in the last three also as MNIST's
    four IDX files, gzipped or not. Fashion-MNIST is looked for in folders
    ``fashion_mnist`` in the same four places, and in the folder of ``LOGREG_DATA``
    itself: as its four files, gzipped as they were published. What is not found is
    downloaded into the user's cache.

    Parameters
    ----------
    name : {"mnist.pkl.gz", "fashion_mnist"}
    offline, notify
        See `utils.datasets.load`.

    Returns
    -------
    str
        Path of the file, or of the folder of the four.

    Raises
    ------
    DatasetError
        If the set is not here and cannot be downloaded; every place is named. For MNIST
        it is a `MnistUnavailableError`.
    """
    published = _SETS[name]
    tried = [os.path.abspath(MNIST)] if name == MNIST else []
    if tried and os.path.isfile(MNIST):
        return tried[0]
    *_, download_folder = places = folders(name)
    for folder in filter(None, places):
        found = _found_in(folder, name, is_cache=folder is download_folder)
        if found:
            return found
        tried.append(os.path.abspath(folder))
    if offline:
        reason = "it is not downloaded, as asked for"
    elif download_folder is None:
        reason = "there is no home folder to download it to; set LOGREG_CACHE"
    else:
        try:
            download.fetch(published, download_folder, notify)
            return download_folder
        except DatasetError as error:
            reason = str(error)
    here = f"{published.title} is not in {', '.join(tried)}, and {reason}."
    if name == MNIST:
        raise MnistUnavailableError(
            f"{here} Put {MNIST} or the four files {', '.join(idx.FILES)} (gzipped or "
            f"not) in {_DATA}, or set LOGREG_DATA to the folder where they are."
        )
    raise DatasetError(
        f"{here} Put the four files {', '.join(published.files)}, as they were "
        f"published, in {_DATA / name}, or set LOGREG_DATA to the folder where they "
        "are; other files of these names are not taken for them. Any folder of four "
        "IDX files can be named by its path."
    )


def _found_in(folder, name, is_cache):
    """Return where in a folder a published set lies, or None."""
    if name == MNIST:
        file = os.path.join(folder, MNIST)
        if os.path.isfile(file):
            return file
        if not is_cache:
            return folder if _is_a_mnist(folder) else None
    # A download may have been broken off.
    return None if _SETS[name].missing(folder) else folder


def _is_a_mnist(folder):
    """Return True for a folder of four IDX files, a person's own too: not Fashion's."""
    fashion = _SETS[FASHION_MNIST]
    none_of_it = len(fashion.missing(folder)) == len(fashion.files)
    return none_of_it and not idx.paths(folder)[1]
