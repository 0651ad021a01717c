"""Names of a model's classes, which its metadata hold where its dataset has some."""

import re

# Metadata may be a stranger's: no mark of HTML, of a formula or of a terminal.
_NAME = re.compile(r"[\w /'+.-]{1,40}")


def class_names(metadata):
    """Names of a model's classes, in their order.

    Parameters
    ----------
    metadata : dict
        Of a model: `n_out`, and perhaps `class_names`.

    Returns
    -------
    sequence of length n_out
        str where the metadata hold a sound name for each class, otherwise the numbers.
    """
    names, n_out = metadata.get("class_names"), metadata["n_out"]
    if isinstance(names, (list, tuple)) and len(names) == n_out:
        if all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            return names
    return range(n_out)
