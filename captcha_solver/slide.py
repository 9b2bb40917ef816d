"""Turn a colour image into the strip that the sliding network reads, and its columns back into image pixels."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.locate import LocateSettings, locate
from captcha_solver.types import Rgb, Strip


@dataclass(frozen=True, slots=True)
class SlideSettings:
    """How an image becomes a strip of height ``strip_px``.

    The width is rounded up to a multiple of ``width_step_px`` and held between ``min_width_px`` and
    ``max_width_px``. ``clip_share`` 0-0.2: the contrast is stretched so that this share of the values is clipped
    at either end.
    """

    strip_px: int = 40
    width_step_px: int = 16
    min_width_px: int = 48
    max_width_px: int = 480
    clip_share: float = 0.01
    locate: LocateSettings = field(default_factory=LocateSettings)

    def __post_init__(self) -> None:
        if self.strip_px % 8 or self.strip_px < 16:
            raise OptionError(f"expected strip_px a multiple of 8 from 16 on, received {self.strip_px}")
        if not 0 < self.min_width_px <= self.max_width_px:
            raise OptionError(f"expected 0 < min_width_px <= max_width_px, received {self.min_width_px}")
        if not 0 <= self.clip_share < 0.2:
            raise OptionError(f"expected clip_share in 0..0.2, received {self.clip_share}")


def to_strip(image: Rgb, settings: SlideSettings) -> Strip:
    """The text of ``image`` (H, W, 3) uint8 as a ``Strip``: found, trimmed, scaled, stretched, ink dark on light."""
    pixels, left_px, px_per_column = strip_levels(image, settings)
    padded = pad_right(pixels, _stepped(pixels.shape[1], settings.width_step_px))
    return Strip(padded.astype(np.float32) / np.float32(255), left_px, px_per_column)


def strip_levels(image: Rgb, settings: SlideSettings) -> tuple[NDArray[np.uint8], float, float]:
    """The strip before padding, (S, w, 3) uint8, with ``left_px`` and ``px_per_column`` as in ``Strip``."""
    box = locate(image, settings.locate)
    crop = image[box.top_px : box.bottom_px, box.left_px : box.right_px]
    scale = settings.strip_px / box.height_px
    width = int(np.clip(round(box.width_px * scale), settings.min_width_px, settings.max_width_px))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(crop, (width, settings.strip_px), interpolation=how), np.uint8)
    return _levelled(resized, settings.clip_share), float(box.left_px), box.width_px / width


def _levelled(strip: NDArray[np.uint8], clip_share: float) -> NDArray[np.uint8]:
    """Contrast stretched to 0-255 over all channels together, and a dark ground turned light."""
    counts = np.bincount(strip.ravel(), minlength=256).cumsum()
    low = int(np.searchsorted(counts, clip_share * counts[-1]))
    high = int(np.searchsorted(counts, (1 - clip_share) * counts[-1]))
    middle = int(np.searchsorted(counts, 0.5 * counts[-1]))
    span = max(high - low, 1)
    table = np.clip((np.arange(256) - low) * (255.0 / span), 0, 255)
    if middle - low < high - middle:  # most of the strip is dark
        table = 255 - table
    return np.asarray(cv2.LUT(strip, table.astype(np.uint8)), np.uint8)


def pad_right(strip: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The strip (S, w, 3) made ``width`` wide by repeating its last column."""
    missing = width - strip.shape[1]
    if missing <= 0:
        return strip
    return np.asarray(cv2.copyMakeBorder(strip, 0, 0, 0, missing, cv2.BORDER_REPLICATE), np.uint8)


def _stepped(width: int, step: int) -> int:
    return -(-width // step) * step


def spans(strip: Strip, steps: int) -> NDArray[np.float32]:
    """Left and right image column of each of a model's ``steps`` over the strip: (T, 2) float32."""
    edges = np.linspace(0, strip.pixels.shape[1], steps + 1)
    image_px = strip.left_px + edges * strip.px_per_column
    return np.stack([image_px[:-1], image_px[1:]], axis=1).astype(np.float32)
