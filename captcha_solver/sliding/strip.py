"""Turn an image cut to its text into the strip that the sliding network reads, and its columns back into pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.types import Rgb, Strip


@dataclass(frozen=True, slots=True)
class SlideSettings:
    """How an image becomes a strip of height ``strip_px``.

    The width is rounded up to a multiple of ``width_step_px`` and held between ``min_width_px`` and
    ``max_width_px``. ``clip_share`` 0-0.2: the contrast is stretched so that this share of the values is clipped
    at either end. Text is made smaller by averaging areas where the scale is below ``area_below``, else by bilinear
    interpolation, which is quicker.
    """

    strip_px: int = 40
    width_step_px: int = 16
    min_width_px: int = 48
    max_width_px: int = 480
    clip_share: float = 0.01
    area_below: float = 1.0

    def __post_init__(self) -> None:
        if self.strip_px % 8 or self.strip_px < 16:
            raise OptionError(f"expected strip_px a multiple of 8 from 16 on, received {self.strip_px}")
        if not 0 < self.min_width_px <= self.max_width_px:
            raise OptionError(f"expected 0 < min_width_px <= max_width_px, received {self.min_width_px}")
        if not 0 <= self.clip_share < 0.2:
            raise OptionError(f"expected clip_share in 0..0.2, received {self.clip_share}")
        if not 0 <= self.area_below <= 1:
            raise OptionError(f"expected area_below in 0..1, received {self.area_below}")


@dataclass(frozen=True, slots=True)
class Levelled:
    """A strip before padding: ``pixels`` (S, w, 3) uint8, the rest as in ``Strip``."""

    pixels: NDArray[np.uint8]
    px_per_column: float


def to_strips(images: Sequence[Rgb], settings: SlideSettings) -> list[Strip]:
    """Each (H, W, 3) uint8 image as a ``Strip``: scaled, its contrast stretched, ink dark on light."""
    strips = []
    for each in levelled(images, settings):
        padded = pad_right(each.pixels, stepped(each.pixels.shape[1], settings))
        strips.append(Strip(padded * np.float32(1 / 255), each.px_per_column))
    return strips


def levelled(images: Sequence[Rgb], settings: SlideSettings) -> list[Levelled]:
    """The strips before padding; the level tables of all images are one pass over arrays."""
    if not images:
        return []
    scaled = [_scaled(image, settings) for image in images]
    tables = _level_tables(np.stack([histogram(each.pixels) for each in scaled]), settings.clip_share)
    return [
        Levelled(np.asarray(cv2.LUT(each.pixels, table), np.uint8), each.px_per_column)
        for each, table in zip(scaled, tables, strict=True)
    ]


def _scaled(image: Rgb, settings: SlideSettings) -> Levelled:
    scale = settings.strip_px / image.shape[0]
    width = int(np.clip(round(image.shape[1] * scale), settings.min_width_px, settings.max_width_px))
    how = cv2.INTER_AREA if scale < settings.area_below else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(image, (width, settings.strip_px), interpolation=how), np.uint8)
    return Levelled(resized, image.shape[1] / width)


def histogram(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How often each of 0-255 occurs in ``levels``, of any shape: (256,); exact below 16 million values."""
    return np.asarray(cv2.calcHist([levels.reshape(len(levels), -1)], [0], None, [256], [0, 256]), np.float32).ravel()


def _level_tables(counts: NDArray[np.float32], clip_share: float) -> NDArray[np.uint8]:
    """Tables (N, 256) from the ``counts`` (N, 256) of each strip's levels: contrast stretched, a dark ground light."""
    reached = counts.cumsum(axis=1)
    shares = np.array([clip_share, 0.5, 1 - clip_share], np.float32) * reached[:, -1:]
    low, middle, high = (reached[:, :, None] < shares[:, None]).sum(axis=1).T
    scale = 255.0 / np.maximum(high - low, 1)
    tables = np.clip((np.arange(256) - low[:, None]) * scale[:, None], 0, 255)
    dark = middle - low < high - middle  # most of the strip is dark
    return np.asarray(np.where(dark[:, None], 255 - tables, tables), np.uint8)


def pad_right(strip: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The strip (S, w, 3) made ``width`` wide by repeating its last column."""
    missing = width - strip.shape[1]
    if missing <= 0:
        return strip
    return np.asarray(cv2.copyMakeBorder(strip, 0, 0, 0, missing, cv2.BORDER_REPLICATE), np.uint8)


def stepped(width: int, settings: SlideSettings) -> int:
    """A strip's width in pixels rounded up to the network's step."""
    return -(-width // settings.width_step_px) * settings.width_step_px


def spans(strip: Strip, steps: int) -> NDArray[np.float32]:
    """Left and right column, in the view, of each of a model's ``steps`` over the strip: (T, 2) float32."""
    edges = np.linspace(0, strip.pixels.shape[1], steps + 1)
    image_px = edges * strip.px_per_column
    return np.stack([image_px[:-1], image_px[1:]], axis=1).astype(np.float32)
