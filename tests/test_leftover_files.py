"""Temporary files that killed runs left: removed at the next write, those alone."""

import errno
import os
from subprocess import PIPE

import pytest

from utils.files import atomic, write_atomic

WRITER = """
import os, sys
from utils.files import atomic

def stop(*arguments):
    print("written", flush=True)
    sys.stdin.read()
    os._exit(9)

atomic.os.replace = stop
atomic.write_atomic(sys.argv[1], b"of the dead")
"""


@pytest.fixture
def halted(start, old):
    """Another process that has written its temporary file, and has not renamed it."""
    writer = start("-c", WRITER, old, stdin=PIPE)
    assert writer.stdout.readline() == "written\n"
    return writer


def temporaries(path):
    return [found for found in path.parent.iterdir() if found != path]


needs_locks = pytest.mark.skipif(atomic.fcntl is None, reason="needs flock")


@needs_locks
def test_temporary_file_of_a_killed_run_is_swept(old, halted):
    assert len(temporaries(old)) == 1
    halted.kill()
    halted.wait()
    assert len(temporaries(old)) == 1
    write_atomic(old, b"new")
    assert temporaries(old) == []


@needs_locks
def test_temporary_file_of_a_living_run_is_not_swept(old, halted):
    """However old it looks: the run may have been suspended."""
    (temporary,) = temporaries(old)
    os.utime(temporary, (0, 0))
    write_atomic(old, b"new")
    assert temporaries(old) == [temporary]
    assert temporary.read_bytes() == b"of the dead"


def test_sweeping_takes_nothing_else(old):
    other = [
        old.with_name(name)
        for name in (".file.0123456", ".file.0123456g", ".files.01234567", "01234567")
    ]
    for path in other:
        path.write_bytes(b"kept")
    folder, link = old.with_name(".file.00000000"), old.with_name(".file.00000001")
    folder.mkdir()
    link.symlink_to(other[0])
    write_atomic(old, b"new")
    assert sorted(temporaries(old)) == sorted([*other, folder, link])


@needs_locks
def test_temporary_file_that_is_swept_before_it_is_locked(old, monkeypatch):
    """By a writer that comes between the two; the next name is taken."""
    flock, seen = atomic.fcntl.flock, []

    def late(handle, flags):
        if not seen:
            seen.extend(temporaries(old))
            seen[0].unlink()
        flock(handle, flags)

    monkeypatch.setattr(atomic.fcntl, "flock", late)
    write_atomic(old, b"new")
    assert len(seen) == 1 and old.read_bytes() == b"new"
    assert temporaries(old) == []


@needs_locks
def test_file_system_without_locks(old, monkeypatch):
    """Written all the same, and nothing is swept."""

    def refuse(handle, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    leftover = old.with_name(".file.01234567")
    leftover.write_bytes(b"")
    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    write_atomic(old, b"new")
    assert old.read_bytes() == b"new" and temporaries(old) == [leftover]
