"""Whatever Python code hands over as a picture shows the same pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captcha_solver.errors import ImageError
from captcha_solver.image import read_image, read_picture
from captcha_solver.imaging.picture_bytes import PictureLike, picture_bytes
from captcha_solver.types import Rgb
from tests.fakes import encoded

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
]


def dark_on_light() -> Image.Image:
    image = Image.new("L", (40, 20), 255)
    image.paste(0, (5, 5, 20, 15))
    return image


PLAIN = np.array(dark_on_light().convert("RGB"))


def pixels(value: PictureLike) -> Rgb:
    return read_image(picture_bytes(value))


@pytest.mark.parametrize("mode", MODES)
def test_a_pillow_image_of_any_mode(mode: str) -> None:
    if mode in ("LAB",):
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(dark_on_light().convert("RGB"), *profiles, outputMode="LAB")
        assert image is not None
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(dark_on_light()).astype(np.uint16) * 257)
    else:
        through = {"La": "LA", "PA": "P", "RGBa": "RGBA", "HSV": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
        image = dark_on_light().convert(through.get(mode, "L")).convert(mode)
    assert image.mode == mode
    assert np.abs(pixels(image).astype(int) - PLAIN).max() <= 2


def test_text_in_the_alpha_channel_alone_is_seen() -> None:
    """Black letters on transparent black: without its alpha channel all of it is black."""
    rgba = np.zeros((20, 40, 4), np.uint8)
    rgba[5:15, 5:20, 3] = 255
    for value in (rgba, Image.fromarray(rgba), Image.fromarray(rgba).convert("LA"), rgba[:, :, [0, 3]]):
        np.testing.assert_array_equal(pixels(value), PLAIN)


GREY = np.asarray(dark_on_light())
ARRAYS = {
    "grey": GREY,
    "one channel": GREY[:, :, None],
    "grey and alpha": np.dstack([GREY, np.full_like(GREY, 255)]),
    "RGB": PLAIN,
    "RGBA": np.dstack([PLAIN, np.full_like(GREY, 255)]),
    "bool": GREY > 128,
    "uint16": GREY.astype(np.uint16) * 257,
    "int64": GREY.astype(np.int64),
    "int32 of 16 bits": GREY.astype(np.int32) * 257,
    "float 0-1": GREY / 255,
    "float32 0-255": GREY.astype(np.float32),
    "not contiguous": np.asfortranarray(PLAIN)[:, ::-1][:, ::-1],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array(name: str) -> None:
    np.testing.assert_array_equal(pixels(ARRAYS[name]), PLAIN)


def test_a_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (40, 20), 0)
    image.putpalette([9, 9, 9, 0, 0, 0])
    image.paste(1, (5, 5, 20, 15))
    image.info["transparency"] = 0
    np.testing.assert_array_equal(pixels(image), PLAIN)


def test_bytes_files_and_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    data = encoded(dark_on_light())
    path = tmp_path / "a.png"
    path.write_bytes(data)
    written = io.BytesIO()
    written.write(data)  # its position is at its end
    with path.open("rb") as file:
        for value in (data, bytearray(data), memoryview(data), io.BytesIO(data), written, path, str(path), file):
            assert picture_bytes(value) == data


def test_a_pillow_image_opened_from_a_file_is_upright_and_has_all_its_frames() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(dark_on_light(), "JPEG", quality=95, exif=exif)
    assert pixels(Image.open(io.BytesIO(turned))).shape == read_image(turned).shape == (40, 20, 3)
    frames = [Image.new("L", (40, 20), 255) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.paste(0, (12 * index, 5, 12 * index + 8, 15))
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    opened = picture_bytes(Image.open(io.BytesIO(moving)))
    assert read_picture(opened).frames == 3
    np.testing.assert_array_equal(read_image(opened), read_image(moving))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "NoneType"),
        (7, "int"),
        ([1, 2], "list"),
        (np.zeros((3, 20, 20), np.uint8), "(3, 20, 20)"),
        (np.zeros((20, 20, 5), np.uint8), "(20, 20, 5)"),
        (np.zeros(20, np.uint8), "(20,)"),
        (np.zeros((0, 20), np.uint8), "(0, 20)"),
        (np.full((20, 20), -1), "-1"),
        (np.full((20, 20), 70000), "70000"),
        (np.full((20, 20), np.nan), "nan"),
        (np.full((20, 20), 300.0), "300"),
        (np.full((20, 20), 1j), "complex"),
        (np.full((20, 20), "a"), "U1"),
        (io.StringIO("text"), "str"),
        ("nowhere.png", "no such file"),
        (Path("nowhere.png"), "no such file"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(value: PictureLike, said: str) -> None:
    with pytest.raises(ImageError) as refused:
        picture_bytes(value)
    assert said in str(refused.value)
