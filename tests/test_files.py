"""Files written whole: the content under their name, at every moment and failure."""

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from utils.files import WriteError, atomic, make_folder, write_atomic


def assert_untouched(path):
    assert path.read_bytes() == b"old"
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_new_and_replaced(tmp_path):
    path = tmp_path / "file"
    for data in (b"first", b"", b"x" * 10**6):
        write_atomic(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_relative_name_and_a_long_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file", "ä" * 120, "😀" * 62):
        write_atomic(name, b"new")
        assert Path(name).read_bytes() == b"new"


def test_temporary_name_is_cut_between_characters(tmp_path, monkeypatch):
    replace = Mock(side_effect=os.replace)
    monkeypatch.setattr(atomic.os, "replace", replace)
    for n in range(4):
        write_atomic(tmp_path / ("x" * n + "😀" * 61), b"new")
    for call in replace.call_args_list:
        call.args[0].name.encode()  # half a character would be a lone surrogate


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_are_those_of_the_umask(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_symbolic_link_is_followed(old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"


def test_reaches_the_disk_before_and_after_it_gets_its_name(old, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def spying_fsync(descriptor):
        folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        events.append("folder synced" if folder else "file synced")
        fsync(descriptor)

    def spying_replace(source, target):
        events.append("renamed")
        replace(source, target)

    monkeypatch.setattr(atomic.os, "fsync", spying_fsync)
    monkeypatch.setattr(atomic.os, "replace", spying_replace)
    write_atomic(old, b"new")
    if Path("/proc/self/fd").exists():
        assert events == ["file synced", "renamed", "folder synced"]
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize(
    "failure, advice",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EACCES, "Permission denied"), "a folder where you may write"),
        (OSError(errno.EROFS, "Read-only file system"), "a folder where you may write"),
        (OSError("without a number"), "a folder where you may write"),
        (KeyboardInterrupt(), None),
    ],
)
def test_failure_leaves_the_old_file(old, monkeypatch, moment, failure, advice):
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, moment, Mock(side_effect=failure))
        with pytest.raises((WriteError, KeyboardInterrupt), match=advice) as caught:
            write_atomic(old, b"new")
    if advice:
        assert str(caught.value).startswith(f"{old}: cannot be written (")
        assert caught.value.errno == failure.errno
    assert (caught.type is KeyboardInterrupt) == (advice is None)
    assert_untouched(old)


@pytest.mark.parametrize(
    "place, message",
    [
        ("", "it is a folder"),
        ("missing/file", "No such file .*create the folder"),
        ("file/file", "in a folder that exists"),
    ],
)
def test_place_where_no_file_can_be(old, place, message):
    with pytest.raises(WriteError, match=message):
        write_atomic(old.parent / place, b"new")
    assert_untouched(old)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs devices")
@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_device_is_not_replaced(device):
    with pytest.raises(WriteError, match="it is no regular file"):
        write_atomic(device, b"new")
    assert Path(device).is_char_device()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_folder_without_permission(old):
    old.parent.chmod(0o555)
    # Root may write anywhere: it acts as `nobody` meanwhile.
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(WriteError, match="Permission denied"):
            write_atomic(old, b"new")
    finally:
        if root:
            os.seteuid(0)
        old.parent.chmod(0o755)
    assert_untouched(old)


def test_folder_in_which_no_file_can_be_written(tmp_path, monkeypatch):
    refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(WriteError, match=r"cannot be written to \(Permission denied\)"):
        make_folder(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs RLIMIT_FSIZE")
def test_file_larger_than_may_be(run, old):
    program = (
        "import resource, sys\n"
        "from utils.files import write_atomic\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "write_atomic(sys.argv[1], bytes(5000))\n"
        "write_atomic(sys.argv[1], b'old')\n"
        "write_atomic(sys.argv[1], bytes(5001))\n"
    )
    last = run("-c", program, old).stderr.splitlines()[-1]
    assert "File too large" in last and "raise the limit of file sizes" in last
    assert_untouched(old)
