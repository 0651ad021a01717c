import hashlib
import http.server
import socket
import threading
import time

import pytest

from utils.datasets import MnistUnavailableError, download, find_mnist
from utils.datasets import mnist as mnist_module

CONTENTS = {
    "train-images-idx3-ubyte.gz": bytes(range(256)) * 800,
    "train-labels-idx1-ubyte.gz": b"labels of training" * 100,
    "t10k-images-idx3-ubyte.gz": b"images of test" * 1000,
    "t10k-labels-idx1-ubyte.gz": b"labels of test",
}
FILES = {
    name: (len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
}


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
        content = page if fault == "html" else CONTENTS.get(name, b"")
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
    monkeypatch.setattr(mnist_module, "_DATA", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "FILES", FILES)
    monkeypatch.setattr(download, "PROBE_SECONDS", 2.0)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)


def use_mirrors(monkeypatch, server, *behaviours):
    mirrors = tuple(f"{server.url}{behaviour}/" for behaviour in behaviours)
    monkeypatch.setattr(download, "MIRRORS", mirrors)
    return mirrors


def downloaded(tmp_path):
    folder = tmp_path / "cache" / "mnist"
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_download_whole_set(tmp_path, server, monkeypatch, capsys):
    (mirror,) = use_mirrors(monkeypatch, server, "good")
    lines = []
    assert find_mnist(notify=lines.append) == str(tmp_path / "cache" / "mnist")
    assert downloaded(tmp_path) == CONTENTS
    assert len(lines) == 4 and all(mirror in line for line in lines)
    # The terminal alone gets a progress bar.
    assert capsys.readouterr() == ("", "")
    server.seen.clear()
    find_mnist()
    assert server.seen == []


@pytest.mark.parametrize("fault", ["hash", "all_404"])
def test_download_next_mirror_is_tried(tmp_path, server, monkeypatch, fault):
    use_mirrors(monkeypatch, server, fault, "good")
    find_mnist()
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
        find_mnist()
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
        find_mnist()
    assert time.monotonic() - start < 15
    for mirror in download.MIRRORS:
        assert mirror in str(caught.value)


def test_download_replaces_a_damaged_file(tmp_path, server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    find_mnist()
    path = tmp_path / "cache" / "mnist" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    find_mnist()
    assert downloaded(tmp_path) == CONTENTS


def test_download_folder_that_cannot_be_made(tmp_path, server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(MnistUnavailableError, match="set LOGREG_CACHE"):
        find_mnist()
    assert server.seen == []


def test_download_slow_server(server, monkeypatch):
    use_mirrors(monkeypatch, server, "good")
    monkeypatch.setattr(download, "GRACE_SECONDS", -1000.0)
    with pytest.raises(MnistUnavailableError, match="slower than"):
        find_mnist()


def test_download_two_processes_at_once(start, tmp_path, server):
    program = (
        "from utils.datasets import download, find_mnist; "
        f"download.MIRRORS = ({server.url + 'good/'!r},); download.FILES = {FILES!r}; "
        "print(find_mnist())"
    )
    told = f"{tmp_path / 'cache' / 'mnist'}\n", ""
    for run in [start("-c", program) for _ in range(2)]:
        assert run.communicate(timeout=60) == told
    assert downloaded(tmp_path) == CONTENTS


def test_pinned_checksums(mnist_folder, monkeypatch):
    monkeypatch.undo()
    assert download.missing(mnist_folder) == []
