"""Downloads from mirrors with every fault, and by several processes at once."""

import subprocess
import sys

import pytest
import test_download
from conftest import REPOSITORY
from test_download import CONTENTS, FILES, check_failure, check_next_mirror_is_tried

server, small_files = test_download.server, test_download.small_files

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
@pytest.mark.parametrize("when", ["", "all_"])
def test_download_next_mirror_is_tried(tmp_path, server, monkeypatch, when, fault):
    check_next_mirror_is_tried(tmp_path, server, monkeypatch, when + fault)


@pytest.mark.parametrize("fault", REASONS)
def test_download_failure_names_addresses(tmp_path, server, monkeypatch, fault):
    check_failure(tmp_path, server, monkeypatch, fault, REASONS[fault])


def test_download_two_processes_at_once(tmp_path, server):
    program = (
        "from utils.datasets import download, find_mnist; "
        f"download.MIRRORS = ({server.url + 'good/'!r},); download.FILES = {FILES!r}; "
        "print(find_mnist())"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for run in runs:
        assert run.communicate(timeout=60) == (
            str(tmp_path / "cache" / "mnist") + "\n",
            "",
        )
    assert test_download.downloaded(tmp_path) == CONTENTS


def test_pinned_checksums(mnist_folder):
    # The pinned sizes and SHA-256 of the module as shipped, on the authors' files.
    program = (
        "import sys; from utils.datasets import download; "
        "print(download.missing(sys.argv[1]))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, str(mnist_folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert output.stdout == "[]\n"
