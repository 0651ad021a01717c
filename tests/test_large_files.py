"""Files with holes, of 8 GB but a few kilobytes on the disk: refused within 1 GiB."""

import gzip
import os
import struct

import pytest
from readers import WAYS
from small_files import pickle_bytes

from utils.digit_image import DigitImageError, read
from utils.files.regular_file import MAX_BYTES, open_regular

HOLE = 2**33
LONG_BYTES = b"\x80\x02B" + struct.pack("<I", 2**32 - 2)
# A zip's directory as long as the hole before it.
ZIP_END = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 1, 1, 2**32 - 2, 0, 0)
LARGER = "larger than 536870912 bytes"
CASES = {
    "pickle-protocol_2": (LONG_BYTES, b"", "found at most 536870905"),
    "model-whole": (LONG_BYTES, b"", "found at most 536870905"),
    "checkpoint-whole": (b"PK\3\4", ZIP_END, LARGER),
    "npz-whole": (b"PK\3\4", ZIP_END, LARGER),
    "gzip-whole": (gzip.compress(pickle_bytes()), b"", "at most 1048576 zeros after"),
}


def with_hole(path, start, end):
    with open(path, "wb") as file:
        file.write(start)
        file.seek(HOLE)
        file.write(end or b"\0")
    if os.stat(path).st_blocks * 512 > HOLE / 2:
        pytest.skip("the folder's system has no files with holes")
    return path


@pytest.mark.parametrize("way", CASES)
def test_hole_is_not_read(folder, one_gibibyte, way):
    start, end, message = CASES[way]
    path = with_hole(WAYS[way].write(folder, b""), start, end)
    with pytest.raises(WAYS[way].error, match=message):
        WAYS[way].read(path)


def test_picture_with_a_hole(folder, one_gibibyte):
    pytest.importorskip("PIL", reason="needs the extra `plot`")
    start = b"RIFF" + struct.pack("<I", 2**32 - 2) + b"WEBPVP8L"
    with pytest.raises(DigitImageError, match="it has 536870912 bytes or more"):
        read(with_hole(folder / "a.webp", start, b""))


def test_file_without_holes_is_read_whole(folder):
    """As those of a model of 100,000 features and 1,000 classes, with its copies."""
    path = folder / "large"
    with open(path, "wb") as file:
        file.write(bytes(2**24))
        file.truncate(2**24 * 128)
    file, size = open_regular(path)
    file.close()
    assert size == 2**31 < MAX_BYTES
