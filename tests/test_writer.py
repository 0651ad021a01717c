"""Files written while training goes on: their newest content, and failures."""

import threading

import pytest

from utils.files import WriteError, writer
from utils.files.writer import Writer


@pytest.fixture
def lines():
    return []


@pytest.fixture
def held(monkeypatch):
    """Writing waits until this event is set; ``held.written`` lists what was."""
    event = threading.Event()
    event.written = []

    def write_atomic(path, data):
        assert event.wait(60)
        event.written.append((path, data))

    monkeypatch.setattr(writer, "write_atomic", write_atomic)
    return event


def test_files_are_there_after_wait(tmp_path, lines):
    subject = Writer(lines.append)
    for number in range(50):
        subject.write(tmp_path / "a", b"%d" % number)
        subject.write(tmp_path / "b", b"b")
    subject.wait()
    assert (tmp_path / "a").read_bytes() == b"49"
    assert (tmp_path / "b").read_bytes() == b"b"
    assert lines == []


def test_only_the_newest_content_is_written(held, lines):
    subject = Writer(lines.append)
    subject.write("a", b"0")
    while subject._waiting:  # until the thread has taken it
        pass
    for number in range(1, 10):
        subject.write("a", b"%d" % number)
        subject.write("b", b"%d" % number)
    held.set()
    subject.wait()
    assert held.written == [("a", b"0"), ("a", b"9"), ("b", b"9")]


def test_failure_is_told_once_and_forgotten_once_it_succeeds(tmp_path, lines):
    folder = tmp_path / "folder"
    subject = Writer(lines.append)
    for _ in range(3):
        subject.write(folder / "file", b"new")
        subject.wait()
    (line,) = lines
    assert "cannot be written" in line and line.endswith("Training goes on.")
    assert list(subject.failed) == [folder / "file"]
    assert isinstance(subject.failed[folder / "file"], WriteError)
    folder.mkdir()
    subject.write(folder / "file", b"new")
    subject.wait()
    assert subject.failed == {}
    assert (folder / "file").read_bytes() == b"new"


def test_log_that_fails_loses_no_failure(tmp_path):
    def closed(line):
        raise BrokenPipeError

    subject = Writer(closed)
    subject.write(tmp_path / "missing" / "file", b"new")
    subject.wait()
    assert len(subject.failed) == 1
