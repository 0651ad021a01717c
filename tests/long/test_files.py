"""Two writers of one file, which write and sweep at once."""

import pytest

from utils.files import atomic, write_atomic


@pytest.mark.skipif(atomic.fcntl is None, reason="needs flock")
def test_two_processes_that_write_and_sweep_at_once(start, tmp_path):
    path = tmp_path / "file"
    program = (
        "import sys; from utils.files import write_atomic\n"
        "for n in range(200): write_atomic(sys.argv[1], sys.argv[2].encode() * 10_000)"
    )
    contents = [letter * 10_000 for letter in (b"a", b"b")]
    write_atomic(path, contents[0])
    writers = [start("-c", program, path, letter) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        assert path.read_bytes() in contents
    for writer in writers:
        assert writer.communicate() == ("", "")
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]
