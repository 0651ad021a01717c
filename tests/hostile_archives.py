"""Files of all formats but pickle that claim what is not there, or bomb."""

import gzip
import pickle
import struct
import zipfile
import zlib

import numpy as np
from small_files import (
    ARRAYS,
    X,
    checkpoint_bytes,
    checkpoint_members,
    idx_bytes,
    npy,
    npy_bytes,
    npy_header,
    npz_bytes,
    pickle_bytes,
    zip_bytes,
)


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


ENCODE = b"\x80\x02c_codecs\nencode\n"  # what makes the elements of an array, of text
MANY_IMAGES = idx_header(2**20, 28, 28)
NO_NUMBERS = "header of an array of bool"
CODE = b"__import__('os').system('true')"
# As the file of the training images: the bytes, and what the refusal names.
IDX = {
    "wrong_magic": (idx_header(6, 1, 2, magic=0x801) + bytes(12), "0x00000803"),
    "floats": (idx_header(6, 1, 2, magic=0xD03) + bytes(48), "0x00000d03"),
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
    "bomb": (gzip_bomb(MANY_IMAGES, 4), "expected 822083584 bytes"),
    "whole_bomb": (gzip_bomb(MANY_IMAGES, 784), "expected 822083584 bytes"),
}
# As the .npy of the training images in an .npz, or of an array in a checkpoint.
NPY = {
    "claims_10_to_12_images": (npy_header((10**12, 28, 28)), "784000000000000 bytes"),
    "claims_too_many_digits": (npy_header((10**40, 28)), NO_NUMBERS),
    "claims_nothing_of_huge": (npy_header((0, 2**60, 2**60)), "npy|read"),
    "objects": (npy_header((3,), "|O"), NO_NUMBERS),
    "object_array": (npy_bytes(np.array([None, {}], object)), "header of an array of"),
    "records": (npy_bytes(np.zeros(3, "f4,i4")), NO_NUMBERS),
    "code_in_header": (npy(CODE), "malformed node|__import__"),
    "long_header": (npy(b"{" + b"1" * 60_000), NO_NUMBERS),
    "nested": (npy(b"(" * 3000), NO_NUMBERS),
    "negative": (npy_header((-1, 2)), NO_NUMBERS),
    "huge_header": (b"\x93NUMPY\2\0" + b"\xff" * 4, NO_NUMBERS),
    "no_array": (b"hello", "magic string|expected a .npy array"),
    "magic_only": (b"\x93NUMPY\1\0", "header length|cut short"),
    "too_short": (npy_header((6, 2)) + bytes(11), "expected 12 bytes"),
    "too_long": (npy_header((6, 2)) + bytes(13), "more bytes"),
}


def with_fields(raw, start, layout, *values):
    """A zip file in which other numbers stand, from `start` on."""
    raw = bytearray(raw)
    struct.pack_into(layout, raw, start, *values)
    return bytes(raw)


def in_directory(raw, offset, layout, *values):
    """A zip file with other numbers in its directory's entry of the first member."""
    return with_fields(raw, raw.index(b"PK\1\2") + offset, layout, *values)


# A name of 65,535 bytes of the file, where the first member lies.
LONG_NAME = with_fields(npz_bytes({"other.npy": bytes(2**16)}), 26, "<H", 2**16 - 1)


NPZ = {
    "false_size": (
        in_directory(npz_bytes(), 24, "<I", 2**32 - 2),
        "found a claim of 4294967294",
    ),
    "long_name": (LONG_NAME, "File name in directory 'x_train.npy'"),
    "bomb": (
        npz_bytes(
            {"x_train.npy": npy_header((2**20, 512)) + bytes(2**20)},
            zipfile.ZIP_DEFLATED,
        ),
        "expected 536870912 bytes",
    ),
    "parent_folder": (
        zip_bytes({f"../{name}.npy": npy_bytes(ARRAYS[name]) for name in ARRAYS}),
        "found no x_train, y_train, x_test, y_test",
    ),
    "array_missing": (
        zip_bytes({"x_train.npy": npy_bytes(X)}),
        "found no y_train, x_test, y_test",
    ),
    "bzip2": (npz_bytes({}, zipfile.ZIP_BZIP2), "compression method 12"),
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
    "endless_line": (gzip_bomb(b"V", 1024), "bytes of text"),
    "endless_elements": (gzip_bomb(ENCODE + b"V", 1024), "found no end of it"),
    "half_a_gb_of_text": (
        gzip_bomb(b"\x80\x02X" + struct.pack("<I", 2**29 - 16), 512),
        "bytes of text",
    ),
    "elements_beyond_latin1": (
        gzip.compress(ENCODE + b"X\5\0\0\0\0" + "\U0001f600".encode()),
        "can't encode",
    ),
    "padding": (gzip.compress(pickle_bytes(), mtime=0) + bytes(2**21), "1048576 zeros"),
    "many_members": (gzip.compress(b"", mtime=0) * 100_000, "65536 gzip members"),
    "no_checksum": (gzip.compress(b"N.")[:-8] + bytes(8), "incorrect data check"),
    "tail": (gzip.compress(b"N.") + b"tail", "incorrect header|more bytes"),
    "page": (gzip.compress(b"<html></html>"), "web page"),
}


def overlapping():
    """A checkpoint of which many members are the same bytes of the file."""
    raw = checkpoint_bytes({"large.npy": npy_bytes(np.zeros(2**16))})
    directory, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    last = raw[raw.rindex(b"PK\1\2") : end]
    copies = b"".join(last.replace(b"large", b"l%04d" % n) for n in range(10_000))
    count = len(checkpoint_members()) + 1 + 10_000
    sizes = (0, 0, count, count, end - directory + len(copies), directory, 0)
    return raw[:end] + copies + b"PK\5\6" + struct.pack("<4H2IH", *sizes)


# As a checkpoint's file.
CHECKPOINT = {
    "overlapping": (overlapping(), "members of [0-9]+ bytes in a file of"),
    "false_size": (
        in_directory(checkpoint_bytes(), 20, "<2I", *[2**32 - 2] * 2),
        "members of [0-9]+ bytes in a file of",
    ),
    "deflated": (checkpoint_bytes((), zipfile.ZIP_DEFLATED), "compressed or encrypt"),
    "encrypted": (in_directory(checkpoint_bytes(), 8, "<H", 1), "or encrypted"),
    "no_content": (zip_bytes({"0.npy": npy_bytes(X)}), "no member content.json"),
    "long_text": (
        checkpoint_bytes({"content.json": b" " * 2**20 + b"{}"}),
        "1048578 bytes in content.json",
    ),
    "other_array": (checkpoint_bytes({"x.npy": b"PK"}), "x.npy: "),
    "no_zip": (b"PK\3\4" + bytes(50), "zip file"),
    "pickle": (pickle.dumps(checkpoint_members()), "zip file"),
}


# As the text in a checkpoint: what is replaced, by what, and what the refusal names.
_CHANGES = {
    "other_version": ('"version": 2', '"version": 1', "version 1 instead of 2"),
    "array_for_format": ('"checkpoint of logistic regression"', '{"array": 0}', ""),
    "missing_array": ('{"array": 0}', '{"array": 99}', "99.npy"),
    "array_of_array": ('{"array": 0}', '{"array": {"array": 0}}', ""),
    "array_named_twice": ('"digits"', '{"array": 0}', "no array 0.npy, or named twice"),
    "deep_metadata": ('"digits"', "[" * 80 + "]" * 80, "no metadata of strings"),
    "digits": ("5000.0", "9" * 9999, "4300"),
    "large_number": ("5000.0", f"{10**400}", "'patience' is no number of a run"),
    "negative_number": ("5000.0", "-2", "'patience' is no number of a run"),
    "truth_for_a_number": ("5000.0", "true", "'patience' is no number of a run"),
    "nul_in_a_name": ("best_model.pkl", "a\\u0000b", "argument 'model'"),
    "no_file_name": ("best_model.pkl", "\\ud800", "argument 'model'"),
    "text_for_a_number": ("0.5,", '"fast",', "argument 'learning_rate'"),
    "unknown_argument": ('"n_epochs"', '"monitor"', "argument 'monitor'"),
    "other_parts": ('"trained_by"', '"code"', "other parts"),
    "short_history": ('"cost": {"array": 2}, ', "", "history of other columns"),
    "column_of_text": ('"cost": {"array": 2}', '"cost": "x"', "column 'cost'"),
    "other_type": (
        '{"array": 0}, "iter": {"array": 1}, "cost": {"array": 2}',
        '{"array": 2}, "iter": {"array": 1}, "cost": {"array": 0}',
        "column 'epoch'",
    ),
    "other_floatX": ('"float32"', '"int8"', "impossible floatX"),
    "seed_of_700_digits": (
        '"batch_size": 1, "model"',
        f'"batch_size": 1, "shuffle": {10**700}, "model"',
        "argument 'shuffle'",
    ),
    "epochs_of_700_digits": ('"n_epochs": 3', f'"n_epochs": {10**700}', "'n_epochs'"),
    "rate_that_is_nan": ("0.5,", "NaN,", "argument 'learning_rate'"),
    "rate_below_0": ("0.5,", "-0.5,", "argument 'learning_rate'"),
    "no_dataset": ('"dataset": "d.npz", ', "", "arguments that are not all there"),
    "epoch_of_2_to_50": ('"epoch": 2, "iter"', f'"epoch": {2**50}, "iter"', "'epoch'"),
    "state_missing": ('"test_score": 0.25, ', "", "a state of other numbers"),
    "more_epochs": ('"n_epochs": 3', '"n_epochs": 1', "more epochs than"),
    "huge_error": ('"test_score": 0.25', '"test_score": 1e300', "'test_score' is no"),
    "later_best": ('"best_epoch": 2', '"best_epoch": 3', "more epochs than"),
    "other_sizes": ('"n_in": 2', '"n_in": 9', "metadata of other sizes than W"),
    "error_of_text": ('"test_error": 0.25', '"test_error": "x"', "'test_error' no run"),
    "metadata_missing": ('"validation_error": 0.25, ', "", "metadata are not all"),
}
_TEXT = checkpoint_members()["content.json"].decode()
CHECKPOINT_JSON = {
    name: (_TEXT.replace(old, new).encode(), named or "damaged")
    for name, (old, new, named) in _CHANGES.items()
} | {
    "other_format": (b'{"format": "x", "version": 1}', "another format"),
    "deep": (b"[" * 2**19, "damaged"),
    "list": (b"[]", "no content"),
    "code": (CODE, "damaged"),
    "not_utf8": (b'{"format": "\xff"}', "damaged"),
}
