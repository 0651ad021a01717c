"""Pictures of digits: read in any form, ink told from paper, fitted as in MNIST."""

import gzip
import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from utils.digit_image import (
    DigitImageError,
    find_ink,
    fit,
    frame_of,
    read,
    read_all,
)

pytest.importorskip("PIL", reason="needs the extra `plot`")

from PIL import Image, ImageDraw, ImageOps  # noqa: E402


@pytest.fixture
def seven():
    """A 7 as ink between 0 and 255, 300 pixels wide and 240 high, off the centre."""
    picture = Image.new("L", (300, 240), 0)
    ImageDraw.Draw(picture).line(
        [(150, 40), (250, 40), (190, 200)], fill=255, width=26, joint="curve"
    )
    return picture


@pytest.fixture(scope="session")
def test_images(mnist_folder):
    """MNIST's test images as bytes, ``(10000, 28, 28)``."""
    data = gzip.decompress((mnist_folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(data, dtype="uint8", offset=16).reshape(-1, 28, 28)


ink_images = arrays(
    "float64", st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.just(1.0)
).flatmap(
    lambda ones: arrays(
        "float64", ones.shape, elements=st.sampled_from([0.0, 0.5, 1.0])
    ).filter(np.any)
)


@given(ink_images, st.integers(2, 9), st.tuples(st.integers(0, 9), st.integers(0, 9)))
@settings(deadline=None, max_examples=60)
def test_fit_does_not_depend_on_scale_place_and_strength(ink, factor, margin):
    larger = np.pad(np.kron(ink, np.ones((factor, factor))), [margin, margin[::-1]])
    np.testing.assert_allclose(fit(larger * 0.3), fit(ink), atol=1e-9)


@given(ink_images)
@settings(deadline=None, max_examples=60)
def test_fit_fills_20_pixels_and_centres_the_mass(ink):
    image = fit(ink)
    assert image.max() == pytest.approx(255 / 256)
    extents = []
    for axis in (0, 1):
        profile = image.sum(axis=axis)
        used = np.flatnonzero(profile)
        extents.append(used[-1] - used[0] + 1)
        centre = profile @ (np.arange(28) + 0.5) / profile.sum()
        at_edge = used[0] == 0 or used[-1] == 27
        assert at_edge or 14 - 1e-5 <= centre < 15
    assert max(extents) == 20


def block(height, width, slant=0.0):
    """A filled block on an empty sheet, its rows shifted by a slant."""
    ink = np.zeros((200, 200))
    for row in range(height):
        start = 60 + round(slant * (row - height / 2))
        ink[30 + row, start : start + width] = 1
    return ink


@pytest.mark.parametrize(
    "ink, columns",
    [
        (block(120, 75), [0, 0.5, 1, 1, 1, 1, 0.5, 0]),  # 20 of 32 parts wide
        (block(40, 75), [0, 0.5, 1, 1, 1, 1, 0.5, 0]),  # as wide, whatever its form
        (block(128, 16), [0, 0, 0, 0.5, 0.5, 0, 0, 0]),  # 4 parts: slender
        (block(128, 16, slant=0.5), [0, 0, 0, 0.5, 0.5, 0, 0, 0]),  # set upright
    ],
)
def test_fit_to_8x8_counts_ink_in_blocks_of_an_upright_bitmap(ink, columns):
    """Worked out by hand, from what is published of scikit-learn's digits."""
    image = fit(ink, frame_of(64)) / (255 / 256)
    columns = np.array(columns) / max(columns)
    np.testing.assert_allclose(image, np.tile(columns, (8, 1)), atol=0.1)


@pytest.mark.parametrize("height, width", [(140, 70), (30, 100)])
def test_fit_to_fashion_fills_the_image_and_centres_the_box(height, width):
    image = fit(block(height, width), frame_of(784, "fashion_mnist"))
    side = round(28 * min(height, width) / max(height, width))
    expected = np.zeros((28, 28))
    expected[:, (28 - side) // 2 : (28 - side) // 2 + side] = 255 / 256
    expected = expected if height > width else expected.T
    np.testing.assert_allclose(image, expected, atol=1e-9)


@pytest.mark.parametrize("paper, ink", [("white", "#283c5a"), ("#205020", "#f0e0e0")])
def test_filled_shape_is_read_whole(tmp_path, paper, ink):
    """A garment's inside is no paper; with a digit's frame only strokes are ink."""
    picture = Image.new("RGB", (400, 400), paper)
    ImageDraw.Draw(picture).rectangle([100, 60, 309, 339], fill=ink)
    picture.save(tmp_path / "shirt.png")
    pixels = read(tmp_path / "shirt.png", frame_of(784, "fashion_mnist"))
    expected = np.zeros((28, 28))
    expected[:, 3:24] = 255 / 256  # 210 of 280 pixels are 21 of 28
    np.testing.assert_allclose(pixels.reshape(28, 28), expected, atol=1e-9)


def test_mnist_scaled_up_and_read_back_is_itself(test_images, tmp_path):
    differences = []
    for image in test_images[:20]:
        path = tmp_path / "up.png"
        Image.fromarray(np.kron(255 - image, np.ones((10, 10), "uint8"))).save(path)
        differences.append(np.abs(read(path) - image.ravel() / 256).max())
    # A row or column fainter than 1/16 at the edge of a digit is not kept.
    assert max(differences) < 0.07


def test_find_ink_leaves_a_clean_drawing_as_it_is(seven):
    ink = np.asarray(seven, dtype=float)
    np.testing.assert_allclose(find_ink(255 - ink)[0], ink / 255, atol=1e-9)
    np.testing.assert_allclose(find_ink(ink)[0], ink / 255, atol=1e-9)


@pytest.mark.parametrize("paper, pen", [(225, 40), (235, 130), (50, 210)])
def test_find_ink_in_a_photograph(seven, paper, pen):
    """Light that falls off by half across the picture, a vignette and noise."""
    drawn = np.asarray(seven) / 255
    y, x = np.mgrid[-1:1:240j, -1:1:300j]
    light = 1 - 0.25 * (1 + x) - 0.1 * (x**2 + y**2)
    noise = np.random.default_rng(2).normal(0, 4, drawn.shape)
    grey = np.clip((paper + (pen - paper) * drawn) * light + noise, 0, 255)
    found, _ = find_ink(grey)
    assert found[drawn == 0].max() == 0
    assert np.corrcoef(found.ravel(), drawn.ravel())[0, 1] > 0.95


def on_page(seven, paper, pen, lines=None, squares=False, slope=0.0, thick=2):
    """Colours of the 7 on paper whose lines, 24 pixels apart, go right to its edges."""
    y, x = np.mgrid[:240, :300]
    page = np.ones((240, 300, 3)) * paper
    if lines is not None:
        page[(y + slope * x) % 24 < thick] = lines
        if squares:
            page[(x - slope * y) % 24 < thick] = lines
    ink = np.asarray(seven)[..., None] / 255
    return page + (np.array(pen) - page) * ink


def in_shadow(page):
    page[:, 170:] *= 0.6
    return page


def on_a_table(page, sides):
    page[:, :15] = page[:, -15 * sides :] = 90, 60, 40
    page[: 12 * (sides == 2)] = page[240 - 12 * sides :] = 90, 60, 40
    return page


def with_a_smear(page):
    """Faint, from the foot of the 7 to a dot."""
    page[190:230, 20:215] -= 2
    page[210:214, 30:34] -= 70
    return page


WHITE, BLACK, BLUE, SKY = (250, 250, 250), (30, 30, 30), (40, 60, 170), (120, 170, 230)
PENCIL, DARK, CHALK = (135, 135, 135), (40, 50, 45), (230, 230, 220)
PAGES = {
    "lines": lambda seven: on_page(seven, WHITE, BLACK, SKY),
    "squares": lambda seven: on_page(seven, WHITE, BLUE, SKY, squares=True),
    "a pen like the lines": lambda seven: on_page(seven, WHITE, SKY, SKY),
    "lines darker than a pencil": lambda seven: on_page(seven, WHITE, PENCIL, BLUE),
    "turned": lambda seven: on_page(seven, WHITE, BLACK, SKY, True, slope=0.09),
    "thick": lambda seven: on_page(seven, WHITE, BLACK, SKY, True, thick=3),
    "chalk": lambda seven: on_page(seven, DARK, CHALK, (90, 110, 100), True),
    "shadow": lambda seven: in_shadow(on_page(seven, WHITE, BLUE, SKY, True)),
    "table": lambda seven: on_a_table(on_page(seven, WHITE, BLUE), 1),
    "table and lines": lambda seven: on_a_table(on_page(seven, WHITE, BLUE, SKY), 1),
    "smear": lambda seven: with_a_smear(on_page(seven, WHITE, BLUE)),
    "sheet": lambda seven: on_a_table(on_page(seven, WHITE, BLUE, SKY, True), 2),
}


@pytest.mark.parametrize("page", PAGES)
def test_read_a_page(seven, tmp_path, page):
    picture = PAGES[page](seven)
    Image.fromarray(picture.astype("uint8")).save(tmp_path / "page.png")
    [digit], _ = read_all([tmp_path / "page.png"])
    expected = fit(np.asarray(seven)).ravel()
    # A pixel aside, where the centre of mass lies between two.
    shifted = [np.roll(digit.pixels, by) for by in (0, 1, -1, 28, -28)]
    assert max(np.corrcoef(s, expected)[0, 1] for s in shifted) > 0.95
    assert digit.doubts == []


@pytest.mark.parametrize("light", [False, True])
def test_find_ink_of_a_loop_that_is_narrower_than_its_stroke(light):
    """The paper in it lies in ink as ink lies on paper."""
    y, x = np.mgrid[-120:120, -150:150]
    loop = (np.hypot(y, x) > 15) & (np.hypot(y, x) < 60)
    found, _ = find_ink(np.where(loop == light, 220, 40))
    assert ((found > 0.5) == loop).all()


def test_find_ink_of_a_1_that_fills_its_picture(seven):
    picture = np.full((200, 120), 255.0)
    picture[:, 59:62] = 0
    assert find_ink(picture)[0].sum() == 600


def test_find_ink_says_what_is_doubtful(seven):
    one = on_page(seven, WHITE, BLUE, SKY)
    ink, [doubt] = find_ink(np.hstack([one[:, :270], one[:, 120:]]))
    assert doubt.startswith("2 pieces of ink lie apart")
    assert not ink[:, :270].any() or not ink[:, 270:].any()
    _, [doubt] = find_ink(on_page(seven, WHITE, BLUE)[60:])
    assert doubt == "the ink runs out of the picture"


def rgba(seven, colour):
    picture = Image.new("RGBA", seven.size, (*colour, 0))
    picture.putalpha(seven)
    return picture


def turned(seven):
    """As a camera held sideways stores it: turned, with a note which way is up."""
    picture = seven.transpose(Image.Transpose.ROTATE_90)
    picture.getexif()[0x0112] = 6
    return picture


def deep(seven):
    return Image.fromarray(65535 - np.asarray(seven).astype("uint16") * 257)


def large(seven):
    return seven.resize((1500, 1200))


def coloured(seven):
    return ImageOps.colorize(seven, black=(250, 240, 200), white=(150, 20, 60))


FORMS = {
    "light on dark": ("bmp", lambda seven: seven),
    "dark on light": ("png", lambda seven: seven.point(lambda v: 255 - v)),
    "low contrast": ("png", lambda seven: seven.point(lambda v: 150 - v // 4)),
    "dark on nothing": ("png", lambda seven: rgba(seven, (20, 20, 90))),
    "light on nothing": ("png", lambda seven: rgba(seven, (255, 250, 200))),
    "palette": ("gif", lambda seven: coloured(seven).quantize(16)),
    "16 bits": ("png", deep),
    "one bit": ("png", lambda seven: seven.convert("1")),
    "turned": ("jpg", lambda seven: turned(large(seven))),
    "jpeg": ("jpg", lambda seven: coloured(large(seven))),
    "cmyk": ("jpg", lambda seven: coloured(large(seven)).convert("CMYK")),
}


@pytest.mark.parametrize("form", FORMS)
def test_read_does_not_depend_on_the_form(seven, tmp_path, form):
    suffix, change = FORMS[form]
    picture = change(seven)
    path = tmp_path / f"seven.{suffix}"
    picture.save(path, exif=picture.getexif())
    expected = fit(np.asarray(seven)).ravel()
    np.testing.assert_allclose(read(path), expected, atol=0.16)
    assert np.abs(read(path) - expected).mean() < 0.01


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("turned", [False, True])
def test_read_a_strip(tmp_path, dtype, turned):
    """8 by 6,000 pixels, lit from one end, with a bar across a tenth of it."""
    strip = np.linspace(180, 250, 6000)[:, None] * np.ones(8)
    strip[5200:5800] = 20
    strip = (strip * (257 if dtype == "uint16" else 1)).astype(dtype)
    picture = np.ascontiguousarray(strip.T) if turned else strip
    Image.fromarray(picture).save(tmp_path / "strip.png")
    image = read(tmp_path / "strip.png").reshape(28, 28)
    image = image.T if turned else image
    # A hundred times as long as wide: 20 pixels of one column.
    assert np.flatnonzero(image.any(axis=0)).tolist() == [14]
    # Their centre lies between two rows; the light decides which it is.
    rows = np.flatnonzero(image.any(axis=1))
    assert len(rows) == 20 and np.ptp(rows) == 19 and rows[0] in (4, 5)


def png(values, claim=None):
    """A picture as a PNG file, whose header may claim another width and height."""
    file = io.BytesIO()
    Image.fromarray(values.astype("uint8")).save(file, "PNG")
    raw = bytearray(file.getvalue())
    if claim:
        raw[16:24] = struct.pack(">2I", *claim)
        raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    return bytes(raw)


def torn_tiff():
    """A TIFF file whose compressed data are no longer those that were written."""
    file = io.BytesIO()
    page = Image.fromarray(NOISE.astype("uint8"))
    page.save(file, "TIFF", compression="tiff_adobe_deflate")
    return file.getvalue().replace(file.getvalue()[30:60], bytes(30))


NOISE = np.random.default_rng(3).normal(128, 30, (40, 40)).clip(0, 255)
FILLED = np.pad(np.zeros((36, 36)), 2, constant_values=255)
BAD = {
    "an empty file": (b"", "cannot be read as a picture .*PNG, JPEG"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC .* iPhones .*heif-convert"),
    "a program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be"),
    "one pixel": (png(np.zeros((1, 1))), "1x1 pixels: expected at least 8x8"),
    "white": (png(np.full((40, 40), 255)), "is blank: .*expected"),
    "noise": (png(NOISE), "is blank"),
    "all ink": (png(FILLED), "is blank: no stroke"),
    "cut off": (png(NOISE)[:200], "cannot be read as a picture"),
    "a claim": (png(NOISE, (60000, 60000)), "more than .* pixels.*: make it smaller"),
    "a smaller claim": (png(NOISE, (10000, 10000)), "more than .* pixels"),
    "data of a TIFF": (torn_tiff(), "cannot be read as a picture"),
    "one that Pillow allows": (png(NOISE, (9400, 9500)), "than 52,428,800 pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_read_says_in_one_line_what_is_wrong(tmp_path, kind, capfd, recwarn):
    """Decoders say nothing themselves, in Python or below it."""
    data, message = BAD[kind]
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(DigitImageError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == "" and not recwarn


def test_read_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DigitImageError, match="missing.png: .*No such file"):
        read(tmp_path / "missing.png")
    with pytest.raises(DigitImageError, match="directory|[Pp]ermission"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_read_a_pipe_and_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(DigitImageError, match="it is a device, pipe or socket"):
            read(path)


def test_read_without_pillow_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DigitImageError, match=r"pip install -e '.\[plot\]'"):
        read(tmp_path / "any.png")
