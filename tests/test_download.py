import dataclasses
import hashlib
import http.server
import socket
import threading
import time

import pytest

from utils.datasets import MnistUnavailableError, download, find, published
from utils.errors import DatasetError

CONTENTS = {
    "train-images-idx3-ubyte.gz": bytes(range(256)) * 800,
    "train-labels-idx1-ubyte.gz": b"labels of training" * 100,
    "t10k-images-idx3-ubyte.gz": b"images of test" * 1000,
    "t10k-labels-idx1-ubyte.gz": b"labels of test",
}
CHANGED = {name: bytes(reversed(content)) for name, content in CONTENTS.items()}


def pinned(contents, algorithm):
    return tuple(
        f"{len(data)} {algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        for data in contents.values()
    )


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENTS below ``/good/``, and a fault below its name.

    The first question is for the smallest file, which fails below ``/all_.../`` only.
    """

    def do_GET(self):
        _, behaviour, name = self.path.split("/", 2)
        self.server.seen.append(self.path)
        whole = name == "t10k-labels-idx1-ubyte.gz" and not behaviour.startswith("all")
        fault = "good" if whole else behaviour.removeprefix("all_")
        if fault.isdigit():
            return self.send_error(int(fault))
        if fault == "silent":
            return self.server.stop.wait(30)
        page = b"<html>Sign in to the network</html>"
        contents = CHANGED if behaviour == "fashion" else CONTENTS
        content = page if fault == "html" else contents.get(name, b"")
        self.send_response(302 if fault == "loop" else 200)
        self.send_header("Location", self.path)
        if fault != "endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        part = {
            "hash": content[:-1] + b"?",
            "cut": content[: len(content) // 2],
            "stall": content[:100],
            "endless": bytes(2**16),
        }.get(fault, content)
        for _ in range(10_000 if fault == "endless" else 1):
            self.wfile.write(part)
        if fault == "stall":
            self.server.stop.wait(30)

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # the client has had enough
            pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen, server.stop = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(
            target=server.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small_files(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOGREG_DATA", raising=False)
    monkeypatch.setattr(published, "_DATA", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    change(monkeypatch, "mnist.pkl.gz", pinned=pinned(CONTENTS, "sha256"))
    change(monkeypatch, "fashion_mnist", pinned=pinned(CHANGED, "md5"))
    monkeypatch.setattr(download, "PROBE_SECONDS", 2.0)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)


def change(monkeypatch, name, **fields):
    changed = dataclasses.replace(published._SETS[name], **fields)
    monkeypatch.setitem(published._SETS, name, changed)


def use_mirrors(monkeypatch, server, *behaviours, name="mnist.pkl.gz"):
    mirrors = tuple(f"{server.url}{behaviour}/" for behaviour in behaviours)
    change(monkeypatch, name, mirrors=mirrors)
    return mirrors


def write(folder, contents):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def downloaded(tmp_path, name="mnist"):
    folder = tmp_path / "cache" / name
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_download_whole_set(tmp_path, server, monkeypatch, capsys):
    (mirror,) = use_mirrors(monkeypatch, server, "good")
    lines = []
    assert find("mnist.pkl.gz", notify=lines.append) == str(
        tmp_path / "cache" / "mnist"
    )
    assert downloaded(tmp_path) == CONTENTS
    assert len(lines) == 4 and all(mirror in line for line in lines)
    # The terminal alone gets a progress bar.
    assert capsys.readouterr() == ("", "")
    server.seen.clear()
    find("mnist.pkl.gz")
    assert server.seen == []


@pytest.mark.parametrize("fault", ["hash", "all_404"])
def test_download_next_mirror_is_tried(tmp_path, server, monkeypatch, fault):
    use_mirrors(monkeypatch, server, fault, "good")
    find("mnist.pkl.gz")
    assert downloaded(tmp_path) == CONTENTS


REASONS = {
    "404": "404",
    "500": "500",
    "html": "expected 204800 bytes, found 35",
    "hash": "SHA256",
    "cut": "Incomplete|Broken|broken|102400",
    "endless": "found more",
    "silent": "timed out|timeout",
    "stall": "timed out|timeout",
    "loop": "redirects",
}


@pytest.mark.parametrize("fault", REASONS)
def test_download_failure_names_addresses(tmp_path, server, monkeypatch, fault):
    mirrors = use_mirrors(monkeypatch, server, fault, f"all_{fault}")
    with pytest.raises(MnistUnavailableError, match=f"(?i){REASONS[fault]}") as caught:
        find("mnist.pkl.gz")
    for mirror in mirrors:
        assert mirror in str(caught.value)
    # Nothing but right files under their names: no wrong and no temporary ones.
    left = downloaded(tmp_path)
    assert left == {name: CONTENTS[name] for name in left}
    assert "train-images-idx3-ubyte.gz" not in left


def test_download_without_network_is_told_soon(monkeypatch):
    def never_resolves(*_, **__):
        time.sleep(60)

    monkeypatch.setattr(socket, "getaddrinfo", never_resolves)
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(MnistUnavailableError, match="no answer within 0.5 s") as caught:
        find("mnist.pkl.gz")
    assert time.monotonic() - start < 15
    for mirror in published._SETS["mnist.pkl.gz"].mirrors:
        assert mirror in str(caught.value)


def test_download_replaces_a_damaged_file(tmp_path, server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    find("mnist.pkl.gz")
    path = tmp_path / "cache" / "mnist" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    find("mnist.pkl.gz")
    assert downloaded(tmp_path) == CONTENTS


def test_download_folder_that_cannot_be_made(tmp_path, server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(MnistUnavailableError, match="set LOGREG_CACHE"):
        find("mnist.pkl.gz")
    assert server.seen == []


def test_download_slow_server(server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    monkeypatch.setattr(download, "GRACE_SECONDS", -1000.0)
    with pytest.raises(MnistUnavailableError, match="slower than"):
        find("mnist.pkl.gz")


def test_download_two_processes_at_once(start, tmp_path, server):
    program = (
        "import dataclasses; from utils.datasets import find, published; "
        "sets = published._SETS; "
        "sets['mnist.pkl.gz'] = dataclasses.replace(sets['mnist.pkl.gz'], "
        f"mirrors=({server.url + 'good/'!r},), pinned={pinned(CONTENTS, 'sha256')!r}); "
        "print(find('mnist.pkl.gz'))"
    )
    told = f"{tmp_path / 'cache' / 'mnist'}\n", ""
    for run in [start("-c", program) for _ in range(2)]:
        assert run.communicate(timeout=60) == told
    assert downloaded(tmp_path) == CONTENTS


def test_pinned_checksums(mnist_folder, monkeypatch):
    monkeypatch.undo()
    assert published._SETS["mnist.pkl.gz"].missing(mnist_folder) == []


def test_download_fashion_mnist(tmp_path, server, monkeypatch):
    use_mirrors(monkeypatch, server, "good", "fashion", name="fashion_mnist")
    lines = []
    folder = tmp_path / "cache" / "fashion_mnist"
    # The first mirror has files of the same names and sizes, which are MNIST's.
    assert find("fashion_mnist", notify=lines.append) == str(folder)
    assert downloaded(tmp_path, "fashion_mnist") == CHANGED
    use_mirrors(monkeypatch, server, "good")
    assert find("mnist.pkl.gz") == str(tmp_path / "cache" / "mnist")
    assert downloaded(tmp_path) == CONTENTS
    assert downloaded(tmp_path, "fashion_mnist") == CHANGED


@pytest.mark.parametrize("place", ["here", "data", "chosen", "within", "cache"])
def test_fashion_mnist_and_mnist_are_never_mixed_up(tmp_path, monkeypatch, place):
    """Their files have the same names, and here even the same sizes."""
    folder = {
        "here": tmp_path / "fashion_mnist",
        "data": tmp_path / "data" / "fashion_mnist",
        "chosen": tmp_path / "chosen",
        "within": tmp_path / "chosen" / "fashion_mnist",
        "cache": tmp_path / "cache" / "fashion_mnist",
    }[place]
    monkeypatch.setenv("LOGREG_DATA", str(tmp_path / "chosen"))
    write(folder, CHANGED)
    assert (tmp_path / find("fashion_mnist", offline=True)) == folder
    with pytest.raises(MnistUnavailableError):
        find("mnist.pkl.gz", offline=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        find("fashion_mnist", offline=True)
    error = str(caught.value)
    assert error.startswith("Fashion-MNIST is not in ") and "\n" not in error
    assert str(folder) in error and "LOGREG_DATA" in error
    if place == "chosen":
        assert find("mnist.pkl.gz", offline=True) == str(folder)


def test_fashion_mnist_record(monkeypatch):
    """The table of the project's README: names, MD5, sizes to two digits, classes."""
    monkeypatch.undo()
    fashion = published._SETS["fashion_mnist"]
    assert [
        (name, round(size, 2 - len(str(size))), checksum)
        for name, (size, checksum) in fashion.files.items()
    ] == [
        ("train-images-idx3-ubyte.gz", 26e6, "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", 30e3, "md5:25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", 4.4e6, "md5:bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", 5.1e3, "md5:bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    assert fashion.class_names[5] == "Sandal" and len(fashion.class_names) == 10
