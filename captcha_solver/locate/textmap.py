"""The map of glyphs that the locating network makes of an image."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.models.bundle import LOCATOR, load_bundle
from captcha_solver.models.locator import CELL_PX, PARTS
from captcha_solver.models.runtimes import OnnxRuntime
from captcha_solver.types import Rgb

AREA_PX = 160 * 64  # a larger image is made smaller for the network: glyphs of 6 px are still seen
STEP_PX = 8  # height and width the network takes are multiples of it
PLAIN = 4.0  # levels 0-255: a canvas that varies less is not stretched further


@dataclass(frozen=True, slots=True)
class TextMap:
    """``glyphs`` (h, w) float32 0-1: how probably each spot has a glyph pixel; a spot is so many image pixels."""

    glyphs: NDArray[np.float32]
    spot_height_px: float
    spot_width_px: float


def text_map(image: Rgb) -> TextMap:
    """The map of an (H, W, 3) uint8 image, at most half as fine as the image."""
    scaled = scaled_down(image)
    height, width = scaled.shape[:2]
    cells = _network().run(padded(normalised(scaled))[None])[0]
    spots = np.asarray(1 / (1 + np.exp(-unfolded(cells))), np.float32)
    spot = CELL_PX // PARTS
    return TextMap(
        spots[: -(-height // spot), : -(-width // spot)],
        spot * image.shape[0] / height,
        spot * image.shape[1] / width,
    )


def scaled_down(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W) or (H, W, C) of at most ``AREA_PX`` pixels."""
    height, width = image.shape[:2]
    factor = (AREA_PX / (height * width)) ** 0.5
    if factor >= 1:
        return image
    size = (max(STEP_PX, round(width * factor)), max(STEP_PX, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def normalised(image: Rgb) -> NDArray[np.float32]:
    """(H, W, 3) float32 of mean 0 in each channel and deviation 1 over all."""
    mean, deviation = cv2.meanStdDev(image)
    spread = max(float(np.sqrt(np.mean(deviation**2))), PLAIN)
    return ((image - mean.ravel()) / spread).astype(np.float32)


def padded(image: NDArray[np.float32], size: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """The image (H, W, 3) with its last row and column repeated up to ``size``, else to multiples of ``STEP_PX``."""
    height, width = image.shape[:2]
    below, right = size or (-(-height // STEP_PX) * STEP_PX, -(-width // STEP_PX) * STEP_PX)
    grown = cv2.copyMakeBorder(image, 0, below - height, 0, right - width, cv2.BORDER_REPLICATE)
    return np.asarray(grown, np.float32)


def unfolded(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 4) parts of cells as a map (2 h, 2 w)."""
    height, width, _ = cells.shape
    parts = cells.reshape(height, width, PARTS, PARTS).transpose(0, 2, 1, 3)
    return parts.reshape(height * PARTS, width * PARTS)


@cache
def _network() -> OnnxRuntime:
    return OnnxRuntime(load_bundle(LOCATOR))
