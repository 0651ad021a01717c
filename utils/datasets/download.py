"""Download a dataset's four files from the first mirror that has them whole."""

import contextlib
import hashlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial

from utils.errors import DatasetError

from . import idx

PROBE_SECONDS = 8.0  # until a mirror must have answered
STALL_SECONDS = 5.0  # the longest silence within a download
SLOWEST = 20_000  # bytes per second, on average, once GRACE_SECONDS are over
GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Published:
    """Four IDX files as they were published.

    Attributes
    ----------
    title : str
        The dataset's name in a sentence.
    mirrors : tuple of str
        Addresses of the folder that has them, each ending in a slash.
    pinned : tuple of str
        Of each of `idx.FILES`, gzipped: its bytes, and its checksum as pooch takes it,
        ``"4542 sha256:..."``.
    class_names : tuple of str
        In the order of the labels; empty where these are the names.
    """

    title: str
    mirrors: tuple
    pinned: tuple
    class_names: tuple = ()

    @property
    def files(self):
        """Bytes and checksum of each file, by its name."""
        pins = [pin.split() for pin in self.pinned]
        return {
            f"{name}.gz": (int(size), checksum)
            for name, (size, checksum) in zip(idx.FILES, pins, strict=True)
        }

    def missing(self, folder):
        """List the names of the files that `folder` lacks, or has with other bytes."""
        return [
            name
            for name, pin in self.files.items()
            if not _is_whole(os.path.join(folder, name), *pin)
        ]


def _is_whole(path, size, checksum):
    algorithm, _, digest = checksum.partition(":")
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if os.path.getsize(path) == size:
            return hashlib.file_digest(file, algorithm).hexdigest() == digest
    return False


def fetch(published, folder, notify=None):
    """Download the files of a `Published` that `folder` lacks.

    The mirrors are first asked, all at once, for the smallest file: a machine whose
    packets are dropped, or whose name server is silent, learns it in `PROBE_SECONDS`.
    A file is written under a temporary name, and renamed once its checksum is right. A
    mirror that fails is not asked again. `notify` is called with a line for each file,
    which names the mirror.

    A `DatasetError` says if no mirror gives a file, with each address and reason, or if
    `folder`, which is made if it does not exist, cannot be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("no permission to write there")
    except OSError as error:
        raise DatasetError(
            f"the download folder {folder} cannot be written ({error}); set "
            "LOGREG_CACHE to a folder that can"
        ) from error
    import pooch

    pooch.get_logger().setLevel("WARNING")
    failures = []
    mirrors = _probe(published, failures)
    for name in published.missing(folder):
        size, checksum = published.files[name]
        download = partial(_download, size)
        while mirrors:
            if notify:
                notify(f"downloading {name} from {mirrors[0]} to {folder}")
            try:
                url = mirrors[0] + name
                pooch.retrieve(url, checksum, name, folder, downloader=download)
                break
            # Whatever is wrong with one mirror, the next may be right.
            except Exception as error:
                failures.append((mirrors.pop(0) + name, error))
        else:
            reasons = "; ".join(f"{url}: {_reason(error)}" for url, error in failures)
            raise DatasetError(f"it could not be downloaded ({reasons})")


def _probe(published, failures):
    """List the mirrors that answer, in order; the others are added to `failures`."""
    name = min(published.files, key=lambda name: published.files[name][0])
    silence = TimeoutError(f"no answer within {PROBE_SECONDS:g} s")
    answers = dict.fromkeys(published.mirrors, silence)

    def ask(mirror):
        import requests

        url, limit = mirror + name, PROBE_SECONDS / 2
        try:
            with requests.get(url, timeout=limit, stream=True) as response:
                response.raise_for_status()
            answers[mirror] = None
        except Exception as error:
            answers[mirror] = error

    # A thread that hangs in the resolver cannot be stopped, only left behind.
    threads = [threading.Thread(target=ask, args=(m,), daemon=True) for m in answers]
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    found = dict(answers)  # a late answer does not count
    failures += [(mirror + name, error) for mirror, error in found.items() if error]
    return [mirror for mirror, error in found.items() if error is None]


def _download(size, url, output_file, _pooch):
    """Write the bytes at `url` to `output_file`: pooch's downloader, with limits."""
    import requests
    from tqdm import tqdm

    name = url.rpartition("/")[2]
    deadline = time.monotonic() + GRACE_SECONDS + size / SLOWEST
    hidden = sys.stderr is None or not sys.stderr.isatty()
    bytes_shown = {"unit": "B", "unit_scale": True, "disable": hidden}
    # A server that inflates the .gz on the way would change the bytes.
    asked = {"headers": {"Accept-Encoding": "identity"}, "stream": True}
    received = 0
    with (
        requests.get(url, timeout=STALL_SECONDS, **asked) as response,
        open(output_file, "wb") as file,
        tqdm(total=size, desc=name, **bytes_shown) as progress,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(2**16):
            received += len(chunk)
            if received > size:
                raise ValueError(f"expected {size} bytes, found more")
            if time.monotonic() > deadline:
                raise TimeoutError(f"slower than {SLOWEST} bytes per second")
            file.write(chunk)
            progress.update(len(chunk))
    if received < size:
        raise ValueError(f"expected {size} bytes, found {received}")


def _reason(error):
    """Describe an error in a line, without the objects' addresses of urllib3."""
    text = " ".join(str(error).split())
    while getattr(error, "args", None) and isinstance(error.args[0], Exception):
        error = error.args[0]
        text = str(getattr(error, "reason", None) or error)
    return text.rpartition(">: ")[2][:200] or type(error).__name__
