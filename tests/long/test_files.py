"""Two writers of one file, which write and sweep at once."""

import threading

import pytest

from utils.files import atomic, write_atomic


def test_two_writers_never_mix(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([n]) * 100_000 for n in (1, 2)]
    write_atomic(path, contents[0])

    def write(content):
        for _ in range(40):
            write_atomic(path, content)

    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(atomic.fcntl is None, reason="needs flock")
def test_two_processes_that_write_and_sweep_at_once(start, tmp_path):
    path = tmp_path / "file"
    program = (
        "import sys; from utils.files import write_atomic\n"
        "for n in range(200): write_atomic(sys.argv[1], sys.argv[2].encode() * 10_000)"
    )
    for writer in [start("-c", program, path, letter) for letter in "ab"]:
        assert writer.communicate(timeout=120) == ("", "")
    assert path.read_bytes() in (b"a" * 10_000, b"b" * 10_000)
    assert list(tmp_path.iterdir()) == [path]
