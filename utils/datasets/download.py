"""Download MNIST's four files from the first mirror that has them whole."""

import contextlib
import hashlib
import os
import sys
import threading
import time

from utils.errors import DatasetError

from . import idx

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_PINNED = (  # bytes and SHA-256 of each of `idx.FILES`, gzipped
    (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
FILES = {f"{name}.gz": pin for name, pin in zip(idx.FILES, _PINNED, strict=True)}
PROBE_SECONDS = 8.0  # until a mirror must have answered
STALL_SECONDS = 5.0  # the longest silence within a download
SLOWEST = 20_000  # bytes per second, on average, once GRACE_SECONDS are over
GRACE_SECONDS = 20.0


def missing(folder):
    """List the names of `FILES` that `folder` lacks, or has with other bytes."""
    return [name for name in FILES if not _is_whole(os.path.join(folder, name), name)]


def _is_whole(path, name):
    size, sha256 = FILES[name]
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if os.path.getsize(path) == size:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    return False


def fetch(folder, notify=None):
    """Download the files that `folder` lacks.

    The mirrors are first asked, all at once, for the smallest file: a machine whose
    packets are dropped, or whose name server is silent, learns it in `PROBE_SECONDS`.
    A file is written under a temporary name, and renamed once its SHA-256 is right. A
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
    mirrors = _probe(failures)
    for name in missing(folder):
        sha256 = f"sha256:{FILES[name][1]}"
        while mirrors:
            if notify:
                notify(f"downloading {name} from {mirrors[0]} to {folder}")
            try:
                url = mirrors[0] + name
                pooch.retrieve(url, sha256, name, folder, downloader=_download)
                break
            # Whatever is wrong with one mirror, the next may be right.
            except Exception as error:
                failures.append((mirrors.pop(0) + name, error))
        else:
            reasons = "; ".join(f"{url}: {_reason(error)}" for url, error in failures)
            raise DatasetError(f"it could not be downloaded ({reasons})")


def _probe(failures):
    """List the mirrors that answer, in order; the others are added to `failures`."""
    name = min(FILES, key=lambda name: FILES[name][0])
    silence = TimeoutError(f"no answer within {PROBE_SECONDS:g} s")
    answers = dict.fromkeys(MIRRORS, silence)

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
    threads = [threading.Thread(target=ask, args=(m,), daemon=True) for m in MIRRORS]
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    found = dict(answers)  # a late answer does not count
    failures += [(mirror + name, error) for mirror, error in found.items() if error]
    return [mirror for mirror, error in found.items() if error is None]


def _download(url, output_file, _pooch):
    """Write what `url` gives to `output_file`: pooch's downloader, with limits."""
    import requests
    from tqdm import tqdm

    name = url.rpartition("/")[2]
    size = FILES[name][0]
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
