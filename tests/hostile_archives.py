"""IDX files, .npy arrays and gzip files that claim what is not there, or bomb."""

import gzip
import struct
import zipfile
import zlib

import numpy as np
from small_files import ARRAYS, X, idx_bytes, npy_bytes, npz_bytes, zip_bytes


def npy(header, elements=b""):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + elements


def npy_header(shape, descr="|u1"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return npy(text.encode())


def idx_header(*shape, magic=0x803):
    return struct.pack(f">{1 + len(shape)}I", magic, *shape)


def gzip_bomb(start, mebibytes):
    """A gzip file of `start` and zeros; about a thousandth of their size."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    deflate.compress(bytes(2**20))
    # After a full flush, the same bytes deflate to the same bytes.
    deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return head + zeros * mebibytes


# As the file of the training images: the bytes, and what the refusal names.
IDX = {
    "wrong_magic": (idx_header(6, 1, 2, magic=0x801) + bytes(12), "0x00000803"),
    "floats": (idx_header(6, 1, 2, magic=0xD03) + bytes(48), "0x00000d03"),
    "short_header": (b"\0\0\10\3\0", "header is cut short"),
    "too_short": (idx_bytes(X)[:-1], "expected 12 bytes"),
    "too_long": (idx_bytes(X) + b"x", "found more"),
    "claims_10_to_12": (idx_header(10**9, 1000, 1), "1000000000000"),
    "claims_2_to_96": (idx_header(*[2**32 - 1] * 3), "bytes"),
    "claims_no_images": (idx_header(0, 2**32 - 1, 2**31), "IDX|read|empty"),
    "empty": (b"", "empty file"),
}
# The same file, gzipped.
IDX_GZIP = {
    name: (gzip.compress(raw, mtime=0), named)
    for name, (raw, named) in IDX.items()
    if raw
} | {
    "bomb": (gzip_bomb(idx_header(2**20, 28, 28), 4), "expected 822083584 bytes"),
    "whole_bomb": (
        gzip_bomb(idx_header(2**20, 28, 28), 784),
        "expected 822083584 bytes",
    ),
}
# As the .npy of the training images in an .npz.
NPY = {
    "claims_10_to_12_images": (npy_header((10**12, 28, 28)), "784000000000000 bytes"),
    "claims_too_many_digits": (npy_header((10**40, 28)), "header of an array of bool"),
    "claims_nothing_of_huge": (npy_header((0, 2**60, 2**60)), "x_train|read"),
    "objects": (npy_header((3,), "|O"), "header of an array of bool"),
    "object_array": (npy_bytes(np.array([None, {}], object)), "header of an array of"),
    "records": (
        npy(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}"),
        "header of an array of bool",
    ),
    "code_in_header": (npy(b"__import__('os').system('true')"), "__import__"),
    "long_header": (npy(b"{" + b"1" * 60_000), "header of an array of bool"),
    "many_digits": (
        npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"1" * 4000),
        "header of an array of bool",
    ),
    "no_array": (b"hello", "expected a .npy array"),
    "empty": (b"", "expected a .npy array"),
    "magic_only": (b"\x93NUMPY\1\0", "cut short"),
    "too_short": (npy_header((6, 2)) + bytes(11), "expected 12 bytes"),
    "too_long": (npy_header((6, 2)) + bytes(13), "more bytes"),
}


def false_size():
    """An .npz whose directory claims 4 GB of a member of some bytes."""
    raw = bytearray(npz_bytes())
    struct.pack_into("<I", raw, raw.index(b"PK\1\2") + 24, 2**32 - 2)
    return bytes(raw)


def long_name():
    """An .npz whose first member's name is 65,535 bytes of the file, where it lies."""
    raw = bytearray(npz_bytes({"other.npy": bytes(2**16)}))
    struct.pack_into("<H", raw, 26, 2**16 - 1)
    return bytes(raw)


def outside(prefix):
    """An .npz whose members would be written outside of the folder, if they were."""
    return zip_bytes(
        {f"{prefix}{name}.npy": npy_bytes(array) for name, array in ARRAYS.items()}
    )


NPZ = {
    "false_size": (false_size(), "found a claim of 4294967294"),
    "long_name": (long_name(), "File name in directory 'x_train.npy'"),
    "bomb": (
        npz_bytes(
            {"x_train.npy": npy_header((2**20, 512)) + bytes(2**20)},
            zipfile.ZIP_DEFLATED,
        ),
        "expected 536870912 bytes",
    ),
    "parent_folder": (outside("../"), "found no x_train, y_train, x_test, y_test"),
    "absolute_path": (outside("/tmp/"), "found no x_train"),
    "backslashes": (outside("..\\"), "found no x_train"),
    "array_missing": (
        zip_bytes({"x_train.npy": npy_bytes(X)}),
        "found no y_train, x_test, y_test",
    ),
    "bzip2": (npz_bytes({}, zipfile.ZIP_BZIP2), "compression method 12"),
    "lzma": (npz_bytes({}, zipfile.ZIP_LZMA), "compression method 14"),
    "not_a_zip": (b"PK\3\4" + bytes(50), "zip"),
}
GZIP = {
    "zeros": (gzip_bomb(b"\x80\x02", 4096), "opcode"),
    "string_of_1_gb": (
        gzip_bomb(b"\x80\x02X" + struct.pack("<I", 2**30), 1024),
        "expected 1073741824 bytes",
    ),
    "string_cut_short": (
        gzip.compress(b"\x80\x02X" + struct.pack("<I", 2**24) + bytes(2**20), 1),
        "expected 16777216 bytes|cut short",
    ),
    "endless_line": (gzip_bomb(b"V", 1024), "found no end of it"),
    "many_members": (gzip.compress(b"", mtime=0) * 100_000, "65536 gzip members"),
    "no_checksum": (gzip.compress(b"N.")[:-8] + bytes(8), "incorrect data check"),
    "tail": (gzip.compress(b"N.") + b"tail", "incorrect header|more bytes"),
    "page": (gzip.compress(b"<html></html>"), "web page"),
}
