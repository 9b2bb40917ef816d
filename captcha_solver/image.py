"""Turn any picture into an Rgb image: the only decoder, and the only place for size and format limits."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from captcha_solver.errors import ImageError
from captcha_solver.imaging.backdrop import Rgba, backdrop, flattened, over
from captcha_solver.imaging.frames import Way, one_picture
from captcha_solver.types import Rgb

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
HEAD_BYTES = 32  # of a file say what its format is
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes, of the versions of the header that follows "BM"

MOST_FRAMES = 300  # of an animation are looked at
MOST_FRAME_PIXELS = 16_000_000  # and fewer where they are large: four bytes of memory a pixel

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_HEAD, _CHECK_SUM = struct.Struct(">I4s"), struct.Struct(">I")

_ORIENTATION_TAG = 0x0112
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may be at most and must be at least; checked on the header, before a pixel is decoded."""

    max_bytes: int = 8 * 1024 * 1024
    max_pixels: int = 1_000_000
    max_side_px: int = 4096
    min_side_px: int = 8


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Picture:
    """``pixels`` (H, W, 3) uint8, and of how many frames that differ they were made in which way."""

    pixels: Rgb
    frames: int = 1
    way: Way | None = None


def read_image(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Rgb:
    """The pixels (H, W, 3) uint8 of ``read_picture``."""
    return read_picture(data, limits).pixels


def read_picture(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Decode PNG, JPEG, GIF, BMP or WEBP to uint8 0-255, upright and opaque.

    Sixteen-bit samples are scaled to eight. Transparency is laid over a colour from which all inks stand out
    (``backdrop``). Of an animated GIF, PNG or WEBP the first ``MOST_FRAMES`` frames, fewer where they are large, are
    made one picture (``frames``). Whatever else is wrong with ``data`` raises ``ImageError``, and nothing but
    ``ImageError``.
    """
    _check_bytes(data, limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about sizes and metadata; the checks here decide
        with _open(data, limits) as image:
            return _picture(image, data)


def read_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of an image file, not decoded; ``ImageError`` where it is none, unreadable or too large."""
    try:
        if not path.is_file():
            raise ImageError(f"expected a file, received {'a folder' if path.is_dir() else 'nothing there'}")
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise ImageError(f"expected at most {limits.max_bytes:,} bytes, received {size:,}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"expected a file that can be read, received: {reason}") from error


def is_picture(head: bytes) -> bool:
    """Whether a file whose first ``HEAD_BYTES`` are ``head`` is of one of ``FORMATS``, whatever it is called."""
    if head.startswith((PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF87a", b"GIF89a")):
        return True
    if head[:2] == b"BM" and len(head) >= 18:
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def usual_suffix(data: bytes) -> str:
    """The suffix of files of this image's format: ``.jpg``; ``.png`` where the content is of none."""
    kinds = {b"\xff\xd8": ".jpg", b"GI": ".gif", b"BM": ".bmp", b"RI": ".webp"}
    return kinds.get(bytes(data[:2]), ".png")


def encode_png(image: Rgb) -> bytes:
    """PNG bytes of an (H, W, 3) uint8 image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f"expected the bytes of an image file, received {type(data).__name__}: read the file first")
    if len(data) == 0:
        raise ImageError(f"expected an image ({_formats()}), received zero bytes")
    if len(data) > limits.max_bytes:
        raise ImageError(f"expected at most {limits.max_bytes:,} bytes, received {len(data):,}")


def _open(data: bytes, limits: Limits) -> Image.Image:
    """Read the header only, and hold its size against the limits."""
    try:
        image = _reader(data)
    except Image.DecompressionBombError as error:
        raise ImageError(f"expected at most {limits.max_pixels:,} pixels, received far more: {error}") from error
    except Exception as error:  # Pillow's readers raise many kinds on broken bytes: none may pass
        raise ImageError(f"expected an image ({_formats()}), received {_described(data)}") from error
    width, height = image.size
    try:
        _check_size(width, height, limits)
    except ImageError:
        image.close()
        raise
    return image


def _reader(data: bytes) -> Image.Image:
    """Pillow's reader of the format; for PNG alone, which most are, the readers of other formats are not loaded."""
    if bytes(data[: len(PNG_SIGNATURE)]) == PNG_SIGNATURE:
        return PngImagePlugin.PngImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _check_size(width: int, height: int, limits: Limits) -> None:
    size = f"{width:,} x {height:,} pixels"
    if width * height > limits.max_pixels:
        raise ImageError(f"expected at most {limits.max_pixels:,} pixels, received {size}")
    if max(width, height) > limits.max_side_px:
        raise ImageError(f"expected sides of at most {limits.max_side_px:,} pixels, received {size}")
    if min(width, height) < limits.min_side_px:
        raise ImageError(f"expected at least {limits.min_side_px} x {limits.min_side_px} pixels, received {size}")


def _picture(image: Image.Image, data: bytes) -> Picture:
    try:
        if image.format == "PNG":
            _check_whole(data)
        image.load()
        if getattr(image, "is_animated", False):
            return _of_frames(image)
        turned = upright(image)
        if turned.mode == "RGB" and "transparency" not in turned.info:
            return Picture(np.array(turned, dtype=np.uint8))
        return Picture(flattened(to_rgba(turned)))
    except Exception as error:  # as above: SyntaxError, struct.error, EOFError, MemoryError, zlib.error, ...
        reason = str(error) or type(error).__name__
        raise ImageError(
            f"expected a whole {image.format} image, received {len(data):,} bytes cut short or damaged ({reason})"
        ) from error


def _of_frames(image: Image.Image) -> Picture:
    """One picture of an animation; all of its frames are laid over one colour."""
    distinct = {frame.tobytes(): frame for frame in _frames(image)}  # in order, each once
    rgba = np.stack(list(distinct.values()))
    frames = over(rgba, backdrop(rgba.reshape(-1, *rgba.shape[2:])))
    if len(frames) == 1:
        return Picture(frames[0])
    pixels, way = one_picture(frames)
    return Picture(pixels, len(frames), way)


def _frames(image: Image.Image) -> Iterator[Rgba]:
    """The frames (H, W, 4) as a viewer shows them, as far as they can be read and memory is bounded."""
    most = max(2, min(MOST_FRAMES, MOST_FRAME_PIXELS // (image.width * image.height)))
    for number in range(most):
        try:
            image.seek(number)
            frame = to_rgba(upright(image))
        except Exception:  # the frames before a broken one, or before the end, are what a viewer shows
            if number == 0:
                raise
            return
        yield frame


def _check_whole(data: bytes) -> None:
    """Raise where a PNG has no end or a part that does not match its check sum: decoding alone looks at neither."""
    view, at, kind = memoryview(data), len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        length, kind = _CHUNK_HEAD.unpack_from(view, at)
        (expected,) = _CHECK_SUM.unpack_from(view, at + _CHUNK_HEAD.size + length)
        if zlib.crc32(view[at + 4 : at + _CHUNK_HEAD.size + length]) != expected:
            raise ValueError(f"wrong check sum in the chunk {kind!r}")
        at += _CHUNK_HEAD.size + length + _CHECK_SUM.size


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; metadata that cannot be read turns nothing."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata does not make the pixels unreadable
        return image
    return image.transpose(_TURNED[orientation]) if orientation in _TURNED else image


def to_rgba(image: Image.Image) -> NDArray[np.uint8]:
    """The image as (H, W, 4) uint8; 16-bit grey is scaled, where Pillow's own conversion would clip it."""
    if image.mode.startswith("I"):
        samples = np.asarray(image).astype(np.int64)
        gray = (np.clip(samples, 0, 65535) * 255 + 32767) // 65535
        key = image.info.get("transparency")
        alpha = np.where(samples == key, 0, 255) if isinstance(key, int) else np.full_like(gray, 255)
        return np.stack([gray, gray, gray, alpha], axis=-1).astype(np.uint8)
    by_way_of = {"La": "LA", "LAB": "RGB", "HSV": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}.get(image.mode)
    return np.array((image.convert(by_way_of) if by_way_of else image).convert("RGBA"), dtype=np.uint8)


def _formats() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]


def _described(data: bytes) -> str:
    shown = bytes(data[:12])
    return f"{len(data):,} bytes that are none of these, or broken at their start (they begin {shown!r})"
