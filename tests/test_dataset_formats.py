import gzip
import io
import os
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils.datasets import DatasetError, load

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
RNG = np.random.default_rng(0)
TRAIN_X = RNG.integers(0, 256, (30, 4, 3)).astype(np.uint8)
TRAIN_Y = np.arange(30, dtype=np.uint8) % 5
TEST_X = RNG.integers(0, 256, (7, 4, 3)).astype(np.uint8)
TEST_Y = np.arange(7, dtype=np.uint8) % 5
# A sixth of the 30 training images are for validation.
PIXELS = [TRAIN_X[:25] / 256, TRAIN_X[25:] / 256, TEST_X / 256]
LABELS = [TRAIN_Y[:25], TRAIN_Y[25:], TEST_Y]


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGREG_CACHE", str(tmp_path / "cache"))


def idx_bytes(array):
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def write_idx(folder, suffix="", names=IDX_NAMES):
    folder.mkdir(exist_ok=True)
    for name, array in zip(names, (TRAIN_X, TRAIN_Y, TEST_X, TEST_Y), strict=True):
        raw = idx_bytes(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(raw) if suffix else raw)
    return folder


def write_npz(path, save=np.savez, **changed):
    arrays = dict(x_train=TRAIN_X, y_train=TRAIN_Y, x_test=TEST_X, y_test=TEST_Y)
    save(path, **(arrays | changed))
    return path


def as_pairs():
    return tuple(
        (x.reshape(len(x), -1).astype(np.float32), y.astype(np.int64))
        for x, y in zip(PIXELS, LABELS, strict=True)
    )


def assert_is_the_dataset(splits):
    for (x, y), pixels, labels in zip(splits, PIXELS, LABELS, strict=True):
        np.testing.assert_array_equal(x, pixels.reshape(len(pixels), -1))
        np.testing.assert_array_equal(y, labels)
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.flags.c_contiguous and x.flags.aligned


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_folder(tmp_path, suffix):
    assert_is_the_dataset(load(write_idx(tmp_path / "a b é", suffix)))


def test_idx_names_with_a_dot(tmp_path):
    names = [name.replace("-idx", ".idx") for name in IDX_NAMES]
    assert_is_the_dataset(load(str(write_idx(tmp_path, names=names))))


def test_idx_validation_is_ten_thousand_of_more(tmp_path):
    labels = np.arange(66_000, dtype=np.uint8) % 10
    images = labels.reshape(-1, 1, 1)
    for name, array in zip(
        IDX_NAMES, (images, labels, images[:10], labels[:10]), strict=True
    ):
        (tmp_path / name).write_bytes(idx_bytes(array))
    assert [len(x) for x, _ in load(tmp_path)] == [56_000, 10_000, 10]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    assert_is_the_dataset(load(write_npz(tmp_path / "a.npz", save)))


def test_npz_floats_are_kept(tmp_path):
    x = TRAIN_X.reshape(30, -1) * np.float32(0.3)
    path = write_npz(tmp_path / "a.npz", x_train=np.asfortranarray(x))
    train, valid, _ = load(path)
    np.testing.assert_array_equal(np.concatenate([train[0], valid[0]]), x)


def test_npz_other_members_are_not_read(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.npy", b"not an array")
        archive.writestr("object.npy", pickle.dumps(print))
    assert_is_the_dataset(load(path))
    assert not (tmp_path.parent.parent / "outside.npy").exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["mnist.pkl", "a.pkl.gz"])
def test_pickle(tmp_path, protocol, name):
    raw = pickle.dumps(as_pairs(), protocol)
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert_is_the_dataset(load(path))


def test_pickle_of_several_gzip_members_and_padding(tmp_path):
    raw = pickle.dumps(as_pairs())
    path = tmp_path / "a.pkl.gz"
    path.write_bytes(gzip.compress(raw[:99]) + gzip.compress(raw[99:]) + bytes(512))
    assert_is_the_dataset(load(path))


def npy(header, elements=b""):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + elements


def write_npz_member(path, raw, **zip_options):
    """An npz whose x_train is `raw`."""
    write_npz(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **zip_options) as archive:
        for name, content in members.items():
            archive.writestr(name, raw if name == "x_train.npy" else content)
    return path


def headers(shape, descr="|u1"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return npy(text.encode())


BAD_NPZ_MEMBERS = {
    "claims_10_to_12_images": headers((10**12, 28, 28)),
    "claims_too_many_digits": headers((10**40, 28)),
    "claims_nothing_of_huge": headers((0, 2**60, 2**60)),
    "objects": headers((3,), "|O"),
    "records": npy(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}"),
    "code_in_header": npy(b"__import__('os').system('true')"),
    "long_header": npy(b"{" + b"1" * 60_000),
    "many_digits": npy(
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"1" * 4000
    ),
    "no_array": b"hello",
    "empty": b"",
    "magic_only": b"\x93NUMPY\1\0",
    "too_short": headers((30, 12)) + bytes(30 * 12 - 1),
    "too_long": headers((30, 12)) + bytes(30 * 12 + 1),
}


@pytest.mark.parametrize("name", BAD_NPZ_MEMBERS)
def test_npz_bad_member(tmp_path, name):
    path = write_npz_member(tmp_path / "a.npz", BAD_NPZ_MEMBERS[name])
    with bounded(), pytest.raises(DatasetError, match="a.npz"):
        load(path)


class bounded:
    """Fails where the block takes more than 64 MB, or ten seconds."""

    def __enter__(self):
        self.start = time.perf_counter()
        tracemalloc.start()

    def __exit__(self, *_):
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 64 * 2**20
        assert time.perf_counter() - self.start < 10


def test_npz_bomb(tmp_path):
    bomb = headers((2**20, 512)) + bytes(2**20)
    path = write_npz_member(tmp_path / "a.npz", bomb, compression=zipfile.ZIP_DEFLATED)
    with bounded(), pytest.raises(DatasetError, match="expected 536870912 bytes"):
        load(path)


def test_npz_false_member_size(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\1\2")
    struct.pack_into("<I", raw, entry + 24, 2**32 - 2)
    path.write_bytes(raw)
    with bounded(), pytest.raises(DatasetError, match="found a claim of 4294967294"):
        load(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_npz_other_compression(tmp_path, method):
    path = write_npz_member(tmp_path / "a.npz", b"x", compression=method)
    with pytest.raises(DatasetError, match="compression method"):
        load(path)


def test_npz_missing_array(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=TRAIN_X, y_train=TRAIN_Y)
    with pytest.raises(DatasetError, match="found no x_test, y_test"):
        load(tmp_path / "a.npz")


def test_npz_object_array_is_not_unpickled(tmp_path):
    path = write_npz(tmp_path / "a.npz", x_train=np.array([None, {}], dtype=object))
    with pytest.raises(DatasetError, match="header of an array of bool"):
        load(path)


BAD_IDX = {
    "wrong_magic": (struct.pack(">4I", 0x801, 30, 4, 3) + bytes(360), "0x00000803"),
    "floats": (struct.pack(">4I", 0xD03, 30, 4, 3) + bytes(1440), "0x00000d03"),
    "short_header": (b"\0\0\10\3\0", "header is cut short"),
    "too_short": (idx_bytes(TRAIN_X)[:-1], "expected 360 bytes"),
    "too_long": (idx_bytes(TRAIN_X) + b"x", "found more"),
    "claims_10_to_12": (struct.pack(">4I", 0x803, 10**9, 1000, 1), "1000000000000"),
    "claims_2_to_96": (struct.pack(">4I", 0x803, *[2**32 - 1] * 3), "bytes"),
    "claims_no_images": (
        struct.pack(">4I", 0x803, 0, 2**32 - 1, 2**31),
        "IDX|read|empty",
    ),
    "empty": (b"", "empty file"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", BAD_IDX)
def test_idx_bad_file(tmp_path, name, suffix):
    raw, message = BAD_IDX[name]
    write_idx(tmp_path, suffix)
    file = tmp_path / (IDX_NAMES[0] + suffix)
    file.write_bytes(gzip.compress(raw) if suffix and raw else raw)
    with bounded(), pytest.raises(DatasetError, match=message) as caught:
        load(tmp_path)
    assert IDX_NAMES[0] in str(caught.value) or name == "claims_no_images"


def test_idx_gzip_bomb(tmp_path):
    write_idx(tmp_path, ".gz")
    header = struct.pack(">4I", 0x803, 2**20, 28, 28)
    bomb = gzip.compress(header + bytes(2**22))
    (tmp_path / (IDX_NAMES[0] + ".gz")).write_bytes(bomb)
    with bounded(), pytest.raises(DatasetError, match="expected 822083584 bytes"):
        load(tmp_path)


def test_pickle_gzip_bomb(tmp_path):
    # A string of 2 GB, of which a tenth is there.
    inside = b"\x80\x02X" + struct.pack("<I", 2**31) + bytes(2**20 * 20)
    (tmp_path / "a.pkl.gz").write_bytes(gzip.compress(inside))
    with bounded(), pytest.raises(DatasetError, match="expected 2147483648 bytes"):
        load(tmp_path / "a.pkl.gz")


def test_idx_missing_files_are_named(tmp_path):
    write_idx(tmp_path)
    (tmp_path / IDX_NAMES[1]).unlink()
    (tmp_path / IDX_NAMES[2]).unlink()
    with pytest.raises(DatasetError, match=f"{IDX_NAMES[1]}, {IDX_NAMES[2]}"):
        load(tmp_path)


def test_idx_single_file_asks_for_the_folder(tmp_path):
    write_idx(tmp_path)
    with pytest.raises(DatasetError, match="Name the folder"):
        load(tmp_path / IDX_NAMES[0])


BAD_FILES = {
    "page.pkl.gz": (b"<!DOCTYPE html><html></html>", "web page"),
    "page.pkl": (b"\n <html><body>404</body></html>", "web page"),
    "page.npz": (b"<html></html>", "web page"),
    "page_gzipped.pkl.gz": (gzip.compress(b"<html></html>"), "web page"),
    "text.pkl.gz": (b"hello", "expected gzip data, found the bytes 68 65"),
    "text.pkl": (b"hello", "sound pickle"),
    "text.npz": (b"hello", "found the bytes 68 65"),
    "empty.pkl.gz": (b"", "empty file"),
    "truncated.pkl.gz": (gzip.compress(pickle.dumps(as_pairs()))[:-99], "cut short"),
    "checksum.pkl.gz": (
        gzip.compress(pickle.dumps(as_pairs()))[:-8] + bytes(8),
        "incorrect data check",
    ),
    "tail.pkl.gz": (
        gzip.compress(pickle.dumps(as_pairs())) + b"tail",
        "incorrect head",
    ),
    "truncated.npz": (b"PK\3\4" + bytes(50), "zip"),
    "hostile.pkl": (pickle.dumps(os.getcwd), "refused posix.getcwd|refused nt.getcwd"),
    "two_pairs.pkl": (pickle.dumps(as_pairs()[:2]), "three \\(images, labels\\) pairs"),
    "dict.pkl": (pickle.dumps({"x": 1}), "found a dict"),
    "triples.pkl": (pickle.dumps(tuple((1, 2, 3) for _ in "abc")), "another layout"),
    "lists.pkl": (pickle.dumps([([[1]], [0])] * 3), "expected NumPy arrays"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(tmp_path, name):
    raw, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(raw)
    with bounded(), pytest.raises(DatasetError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="no such file or folder"):
        load(tmp_path / "none.pkl.gz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl.gz")
    with pytest.raises(DatasetError, match="device, pipe or socket"):
        load(tmp_path / "pipe.pkl.gz")


def test_name_that_no_file_can_have():
    with pytest.raises(DatasetError, match="null"):
        load("a\0b")
    with pytest.raises(DatasetError, match="found NoneType"):
        load(None)


SMALL = (TRAIN_X[:6, :1, :2], TRAIN_Y[:6])


def npz_bytes(save):
    file = io.BytesIO()
    x, y = SMALL
    save(file, x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    return file.getvalue()


SMALL_PICKLE = pickle.dumps(tuple((x[:, 0] / 256, y) for x, y in [SMALL] * 3), 2)
READERS = {
    "pickle": SMALL_PICKLE,
    "pickle_gzip": gzip.compress(SMALL_PICKLE),
    "npz": npz_bytes(np.savez),
    "npz_deflated": npz_bytes(np.savez_compressed),
}


@pytest.mark.parametrize("name", READERS)
def test_truncated_at_every_byte(tmp_path, name):
    raw, path = READERS[name], tmp_path / "a"
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(DatasetError):
            load(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_truncated_at_every_byte(tmp_path, suffix):
    write_idx(tmp_path, suffix)
    path = tmp_path / (IDX_NAMES[2] + suffix)
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(DatasetError):
            load(tmp_path)


def load_or_refuse(path):
    """Load what may be damaged: a DatasetError, or three splits that fit together."""
    try:
        splits = load(path)
    except DatasetError as error:
        assert str(error)
        return
    widths = {x.shape[1] for x, _ in splits}
    assert len(splits) == 3 and len(widths) == 1
    largest = splits[0][1].max()
    for x, y in splits:
        assert len(x) == len(y) > 0 and np.isfinite(x).all()
        assert y.min() >= 0 and y.max() <= largest


FLIPS = st.lists(st.tuples(st.integers(0, 10**5), st.integers(1, 255)), max_size=3)
FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def flip(raw, flips):
    changed = bytearray(raw)
    for position, bits in flips:
        changed[position % len(raw)] ^= bits
    return bytes(changed)


@FUZZ
@given(name=st.sampled_from(sorted(READERS)), flips=FLIPS)
def test_flipped_bytes(tmp_path, name, flips):
    (tmp_path / "a").write_bytes(flip(READERS[name], flips))
    load_or_refuse(tmp_path / "a")


@FUZZ
@given(index=st.integers(0, 3), suffix=st.sampled_from(["", ".gz"]), flips=FLIPS)
def test_idx_flipped_bytes(tmp_path, index, suffix, flips):
    folder = write_idx(tmp_path / ("plain" + suffix), suffix)
    path = folder / (IDX_NAMES[index] + suffix)
    path.write_bytes(flip(path.read_bytes(), flips))
    load_or_refuse(folder)


@FUZZ
@given(
    head=st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\3\4", b"\x80\x02", b"\x93NUMPY"]),
    tail=st.binary(max_size=100),
)
def test_random_bytes(tmp_path, head, tail):
    (tmp_path / "a").write_bytes(head + tail)
    load_or_refuse(tmp_path / "a")
