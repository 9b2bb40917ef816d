"""Turn what Python code hands over as a picture (bytes, file, path, Pillow image, array) into encoded bytes."""

import io
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from captcha_solver.errors import ImageError
from captcha_solver.image import read_file, to_rgba, upright

PictureLike: TypeAlias = Any  # bytes-like, a file open for reading bytes, a path, a Pillow image or an array
CHANNELS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGBA"}
EXPECTED = "expected bytes, an open file, a path, a Pillow image or an array (H, W) or (H, W, 1-4)"


def picture_bytes(value: PictureLike) -> bytes:
    """The encoded bytes of a picture; ``ImageError`` for what is none.

    Bytes, files and paths are taken as they are and not decoded. A Pillow image of any mode and an array become a PNG
    that keeps transparency and frames. An array (H, W), (H, W, 1) is grey, (H, W, 2) grey and alpha, (H, W, 3) RGB,
    (H, W, 4) RGBA: uint8 0-255, uint16 0-65535, bool, or floating 0-1 (0-255 where any value is above 1); other
    integers are taken for 0-255 unless any is above.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str | PathLike):
        return _of_path(Path(value))
    if isinstance(value, Image.Image):
        return _of_pillow(value)
    if isinstance(value, np.ndarray):
        return _png([_of_array(value)])
    if callable(getattr(value, "read", None)):
        return _of_file(value)
    raise ImageError(f"{EXPECTED}, received {type(value).__name__} {repr(value)[:60]}")


def _of_path(path: Path) -> bytes:
    if not path.exists():
        raise ImageError(f"{EXPECTED}, received {str(path)[:60]!r}, and there is no such file")
    return read_file(path)


def _of_file(file: Any) -> bytes:
    """All of a file: one that was just written is read from its start."""
    try:
        if getattr(file, "seekable", lambda: False)():
            file.seek(0)
        data = file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"expected a file that can be read, received: {error}") from error
    if not isinstance(data, bytes | bytearray):
        raise ImageError(f"expected a file open for reading bytes, received one that gives {type(data).__name__}")
    return bytes(data)


def _of_pillow(image: Image.Image) -> bytes:
    try:
        if image.mode in ("F", "I"):
            return _png([_of_array(np.asarray(image))])
        frames = ImageSequence.Iterator(image) if getattr(image, "is_animated", False) else [image]
        return _png([to_rgba(upright(frame)) for frame in frames])
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"expected a Pillow image that can be read, received {image!r}: {error}") from error


def _of_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 of an array as ``picture_bytes`` takes it."""
    shaped = array[:, :, None] if array.ndim == 2 else array
    if shaped.ndim != 3 or shaped.shape[2] not in CHANNELS or 0 in shaped.shape:
        raise ImageError(f"{EXPECTED}, received an array {array.shape}")
    levels = _levels(shaped)
    grey, alpha = levels.shape[2] < 3, levels.shape[2] in (2, 4)
    colours = np.repeat(levels[:, :, :1], 3, axis=2) if grey else levels[:, :, :3]
    opacity = levels[:, :, -1:] if alpha else np.full_like(levels[:, :, :1], 255)
    return np.concatenate([colours, opacity], axis=2)


def _levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The values as 0-255."""
    if array.dtype == np.bool_:
        return np.asarray(array, np.uint8) * np.uint8(255)
    number = np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array)
    low, high = (float(array.min()), float(array.max())) if number else (-1.0, 0.0)
    if np.issubdtype(array.dtype, np.floating):
        if low >= 0 and high <= 255:  # not where any is NaN
            return np.asarray(np.round(array * (255.0 if high <= 1 else 1.0)), np.uint8)
    elif low >= 0 and high <= 255 and array.dtype != np.uint16:
        return np.asarray(array, np.uint8)
    elif low >= 0 and high <= 65535:
        return np.asarray((array.astype(np.int64) * 255 + 32767) // 65535, np.uint8)
    raise ImageError(f"expected values of 0-255, 0-65535 or 0-1, received {array.dtype} of {low:g} to {high:g}")


def _png(frames: list[NDArray[np.uint8]]) -> bytes:
    """A PNG of one frame (H, W, 4), or an animated one; without an alpha channel where everything is opaque."""
    opaque = all(int(frame[..., 3].min()) == 255 for frame in frames)
    first, *further = [Image.fromarray(frame[..., :3] if opaque else frame) for frame in frames]
    buffer = io.BytesIO()
    more: dict[str, Any] = {"save_all": True, "append_images": further} if further else {}
    first.save(buffer, "PNG", compress_level=3, **more)
    return buffer.getvalue()
