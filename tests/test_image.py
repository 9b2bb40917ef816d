import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from captcha_solver.errors import ImageError
from captcha_solver.image import Limits, encode_png, read_file, read_image
from captcha_solver.types import Rgb
from tests.fakes import encoded

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def quarters() -> Image.Image:
    """40 x 20: red and green above, blue and white below."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste(GREEN, (20, 0, 40, 10))
    image.paste(BLUE, (0, 10, 20, 20))
    image.paste((255, 255, 255), (20, 10, 40, 20))
    return image


def corners(image: Rgb) -> list[tuple[int, ...]]:
    """Colours near the corners: top left, top right, bottom left, bottom right."""
    return [tuple(int(v) for v in image[y, x]) for y in (3, -4) for x in (3, -4)]


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes = b"") -> bytes:
    """A PNG written by hand; ``rows`` are its filtered scan lines."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP"])
def test_lossless_formats_keep_every_pixel(form: str) -> None:
    image = read_image(encoded(quarters(), form))
    assert image.dtype == np.uint8
    assert image.shape == (20, 40, 3)
    np.testing.assert_array_equal(image, np.array(quarters()))


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_formats_are_close(form: str) -> None:
    image = read_image(encoded(quarters(), form, quality=95))
    expected = [RED, GREEN, BLUE, (255, 255, 255)]
    assert np.abs(np.array(corners(image)) - np.array(expected)).max() <= 12


@pytest.mark.parametrize(
    ("sixteen", "eight"), [(0, 0), (128, 0), (129, 1), (257, 1), (32896, 128), (65407, 255), (65535, 255)]
)
def test_sixteen_bit_grey_is_scaled_and_not_clipped(sixteen: int, eight: int) -> None:
    ok, buffer = cv2.imencode(".png", np.full((20, 30), sixteen, np.uint16))
    assert ok
    assert np.unique(read_image(buffer.tobytes())).tolist() == [eight]


def test_sixteen_bit_colour_is_scaled() -> None:
    samples = np.zeros((20, 30, 3), np.uint16)
    samples[:] = (0x1000, 0x8000, 0xFFFF)  # OpenCV's order: blue, green, red
    ok, buffer = cv2.imencode(".png", samples)
    assert ok
    assert corners(read_image(buffer.tobytes())) == [(255, 0x80, 0x10)] * 4


def test_sixteen_bit_grey_with_alpha_is_read() -> None:
    row = b"\x00" + struct.pack(">HH", 0, 0xFFFF) * 10
    assert corners(read_image(png(10, 10, 16, 4, row * 10))) == [(0, 0, 0)] * 4


@pytest.mark.parametrize(("depth", "byte", "expected"), [(1, 0b10101010, 255), (2, 0b01010101, 85), (4, 0x33, 51)])
def test_shallow_grey_is_scaled(depth: int, byte: int, expected: int) -> None:
    width = 16
    row = bytes([0]) + bytes([byte]) * (width * depth // 8)
    image = read_image(png(width, 10, depth, 0, row * 10))
    assert int(image[0, 0, 0]) == expected


def test_one_bit_and_grey_become_three_equal_channels() -> None:
    for mode in ("1", "L"):
        image = read_image(encoded(quarters().convert(mode)))
        assert image.shape == (20, 40, 3)
        assert (image[..., 0] == image[..., 2]).all()
        assert corners(image)[3] == (255, 255, 255)


def ink_on_nothing(mode: str, ink: tuple[int, int, int]) -> Image.Image:
    """A block of ``ink`` on full transparency whose hidden colour is black."""
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    image.paste((*ink, 255), (0, 0, 20, 20))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "ink", "background"),
    [
        ("RGBA", (0, 0, 0), 255),
        ("RGBA", (200, 30, 30), 255),
        ("RGBA", (255, 255, 255), 0),
        ("RGBA", (250, 245, 200), 0),
        ("LA", (40, 40, 40), 255),
        ("LA", (255, 255, 255), 0),
    ],
)
def test_transparency_is_laid_over_what_shows_the_ink(mode: str, ink: tuple[int, int, int], background: int) -> None:
    image = read_image(encoded(ink_on_nothing(mode, ink)))
    assert corners(image) == [ink, (background,) * 3] * 2


def test_half_transparent_ink_is_mixed() -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    assert corners(read_image(encoded(image))) == [(127, 127, 127)] * 4


def test_dark_text_on_an_opaque_light_card_keeps_white_around_it() -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (10, 10, 50, 30))
    image.paste((20, 20, 20, 255), (20, 15, 40, 25))
    assert corners(read_image(encoded(image))) == [(255, 255, 255)] * 4


def test_an_image_that_is_all_transparent_is_white() -> None:
    assert read_image(encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0)))).min() == 255


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_palette_with_transparency(form: str) -> None:
    image = Image.new("P", (40, 20), 0)
    image.putpalette([1, 2, 3, 0, 0, 200])
    image.paste(1, (0, 0, 20, 20))
    assert corners(read_image(encoded(image, form, transparency=0))) == [(0, 0, 200), (255, 255, 255)] * 2


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_colour_key_is_transparent(mode: str) -> None:
    image = Image.new(mode, (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    key = 0 if mode == "L" else (0, 0, 0)
    assert read_image(encoded(image, transparency=key)).min() == 0  # only white is left to see: it is laid over black


def test_sixteen_bit_colour_key_is_transparent() -> None:
    image = Image.fromarray(np.full((20, 20), 1000, np.uint16))
    assert read_image(encoded(image, transparency=1000)).min() == 255


@pytest.mark.parametrize("colour", [(0, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 255)])
def test_cmyk_jpeg(colour: tuple[int, ...]) -> None:
    image = Image.new("CMYK", (40, 24), colour)
    expected = tuple((255 - c) * (255 - colour[3]) // 255 for c in colour[:3])
    read = np.array(corners(read_image(encoded(image, "JPEG", quality=98)))[0])
    assert np.abs(read - np.array(expected)).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_exif_orientation_is_undone(orientation: int, form: str) -> None:
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = quarters() if undo is None else quarters().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encoded(stored, form, exif=exif, **({"quality": 95} if form == "JPEG" else {})))
    assert image.shape == (20, 40, 3)
    assert np.abs(np.array(corners(image)) - np.array([RED, GREEN, BLUE, (255, 255, 255)])).max() <= 12


def test_broken_exif_does_not_hide_the_picture() -> None:
    data = encoded(quarters(), "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert read_image(data).shape == (20, 40, 3)


BROKEN = {
    "zero bytes": (b"", "zero bytes"),
    "one byte": (b"\x89", "1 bytes"),
    "text": (b"hello, I am no image", "hello"),
    "html": (b"<!doctype html><html></html>", "<!doctype"),
    "png signature alone": (b"\x89PNG\r\n\x1a\n", "8 bytes"),
    "jpeg signature alone": (b"\xff\xd8\xff\xe0", "4 bytes"),
    "gif header alone": (b"GIF89a", "6 bytes"),
    "bmp header alone": (b"BM" + b"\0" * 12, "14 bytes"),
    "tiff": (encoded(quarters(), "TIFF"), "PNG, JPEG, GIF, BMP or WEBP"),
    "ico": (encoded(quarters(), "ICO"), "PNG, JPEG, GIF, BMP or WEBP"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PNG, JPEG, GIF, BMP or WEBP"),
    "one pixel": (encoded(Image.new("RGB", (1, 1))), "1 x 1"),
    "a line": (encoded(Image.new("RGB", (100, 7))), "100 x 7"),
    "too wide": (encoded(Image.new("L", (5000, 10))), "5,000 x 10"),
    "too many pixels": (encoded(Image.new("1", (1001, 1000))), "1,001 x 1,000"),
    "png without data": (png(20, 20, 8, 2), "whole PNG"),
    "png of no size": (png(0, 20, 8, 2), "expected"),
    "png of wrong depth": (png(20, 20, 7, 2, b"\0" * 2000), "expected"),
    "png of garbage": (png(20, 20, 8, 2)[:60] + b"\xff" * 60, "expected"),
    "gif without frame": (b"GIF89a" + struct.pack("<HHBBB", 20, 20, 0, 0, 0) + b";", "expected"),
    "webp of garbage": (b"RIFF\x20\0\0\0WEBPVP8 " + b"\xff" * 20, "expected"),
    "bmp of garbage": (encoded(quarters(), "BMP")[:40] + b"\xff" * 40, "expected"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_bytes_say_what_was_expected_and_received(name: str) -> None:
    data, received = BROKEN[name]
    with pytest.raises(ImageError, match=r"expected .* received") as caught:
        read_image(data)
    assert received in str(caught.value)
    assert "\n" not in str(caught.value)


def test_something_else_than_bytes_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="received str"):
        read_image("captcha.png")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_cut_file_is_refused_or_read_in_full(form: str) -> None:
    rng = np.random.default_rng(5)
    data = encoded(Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)), form)
    whole = read_image(data)
    refused = 0
    for size in range(0, len(data), 7):
        try:
            image = read_image(data[:size])
        except ImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(image, whole)
    assert refused >= 0.9 * len(range(0, len(data), 7))


def test_a_png_with_a_changed_byte_is_never_misread() -> None:
    data = encoded(quarters(), compress_level=0)
    whole = read_image(data)
    for place in range(8, len(data) - 4):
        damaged = bytearray(data)
        damaged[place] ^= 0x21
        try:
            np.testing.assert_array_equal(read_image(bytes(damaged)), whole)
        except ImageError:
            continue


def test_a_png_without_its_end_is_refused() -> None:
    data = encoded(quarters())
    for cut in (8, 12, 13, 20):
        with pytest.raises(ImageError, match="expected a whole PNG image"):
            read_image(data[:-cut])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_damaged_bytes_raise_image_errors_alone(form: str) -> None:
    rng = np.random.default_rng(6)
    data = bytearray(encoded(quarters(), form))
    for _ in range(200):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(0, 256)
        try:
            image = read_image(bytes(damaged))
        except ImageError:
            continue
        assert image.dtype == np.uint8
        assert image.ndim == 3


def bomb() -> bytes:
    """20,000 x 20,000 one-bit pixels in some 48 KB."""
    return png(20_000, 20_000, 1, 0, bytes(2501) * 20_000)


def webp_header(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "data",
    [
        bomb(),
        png(9_000, 9_000, 1, 0),  # below the size at which Pillow itself refuses
        b"GIF89a" + struct.pack("<HHBBB", 20_000, 20_000, 0, 0, 0) + b";" * 20,
        b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 0, 0, 0, 0),
        webp_header(16_000, 16_000),
    ],
    ids=["bomb", "below Pillow's limit", "gif", "bmp", "webp"],
)
def test_a_huge_size_is_refused_before_decoding(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ImageError):
            read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_bomb_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))
    data = bomb()
    assert len(data) < 60_000
    with pytest.raises(ImageError, match="at most 1,000,000 pixels"):
        read_image(data)
    assert not decoded


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageError, match="at most 100 bytes, received"):
        read_image(encoded(quarters(), "BMP"), Limits(max_bytes=100))


def test_no_warning_escapes(recwarn: pytest.WarningsRecorder) -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([1, 2, 3, 4, 5, 6])
    read_image(encoded(image, transparency=bytes([0, 255])))
    with pytest.raises(ImageError):
        read_image(png(10_000, 10_000, 1, 0))
    assert not recwarn.list


def test_encode_png_round_trips() -> None:
    image = np.random.default_rng(1).integers(0, 256, (12, 34, 3), np.uint8)
    np.testing.assert_array_equal(read_image(encode_png(image)), image)
    assert Image.open(io.BytesIO(encode_png(image))).format == "PNG"


def test_read_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * 50)
    assert read_file(path) == b"x" * 50
    for wrong, received in ((tmp_path, "a folder"), (tmp_path / "none.png", "nothing there")):
        with pytest.raises(ImageError, match=received):
            read_file(wrong)
    with pytest.raises(ImageError, match="at most 10 bytes, received 50"):
        read_file(path, Limits(max_bytes=10))
    with pytest.raises(ImageError, match="expected a file"):
        read_file(tmp_path / "a\0b.png")
