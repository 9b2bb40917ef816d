"""Find the band of an image that holds the text, so that empty margins cost no resolution."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Box, Rgb


@dataclass(frozen=True, slots=True)
class LocateSettings:
    """How the text is found.

    ``edge_share`` 0-1: an edge counts from this share of the image's strongest edges on; ``density`` 0-1: text
    is where at least this share of a window's pixels are edges; ``margin`` is added all round, as a share of the
    box's height; the box is never lower than ``min_height`` of the image, nor narrower than its own height.
    """

    edge_share: float = 0.15
    density: float = 0.13
    margin: float = 0.12
    min_height: float = 0.25


def locate(image: Rgb, settings: LocateSettings) -> Box:
    """The box of the text in ``image`` (H, W, 3); the whole image where nothing stands out.

    Edges, not colours, are looked at: they tell text from gradients and plain margins, whatever its polarity.
    A window must be dense with them, so that specks and thin lines beyond the text do not widen the box much.
    """
    height, width = image.shape[:2]
    whole = Box(0, 0, width, height)
    if height < 8 or width < 8:
        return whole
    edges = edge_strength(image)
    counts = np.bincount(edges.ravel(), minlength=256).cumsum()
    strong = float(np.searchsorted(counts, 0.98 * counts[-1]))
    quiet = float(np.searchsorted(counts, 0.5 * counts[-1]))
    level = max(settings.edge_share * strong, 3.0 * quiet, 6.0)
    if strong < level:
        return whole
    window = max(5, height // 5) | 1
    busy = cv2.threshold(edges, level, 255, cv2.THRESH_BINARY)[1]
    share = cv2.blur(busy, (window, window), borderType=cv2.BORDER_CONSTANT)
    _, dense = cv2.threshold(share, 255 * settings.density, 1, cv2.THRESH_BINARY)
    rows = cv2.reduce(dense, 1, cv2.REDUCE_MAX).ravel().nonzero()[0]
    columns = cv2.reduce(dense, 0, cv2.REDUCE_MAX).ravel().nonzero()[0]
    if len(rows) == 0:
        return whole
    inset = window // 3  # the window sees text before its middle reaches it
    box = (columns[0] + inset, rows[0] + inset, columns[-1] + 1 - inset, rows[-1] + 1 - inset)
    return _grown(tuple(int(v) for v in box), (width, height), settings)


def edge_strength(image: Rgb) -> NDArray[np.uint8]:
    """Strongest step to the right-hand or lower neighbour in any channel, (H, W) uint8."""
    steps = cv2.absdiff(image[1:, 1:], image[1:, :-1])
    cv2.max(steps, cv2.absdiff(image[1:, 1:], image[:-1, 1:]), dst=steps)
    red, green, blue = cv2.split(steps)
    strongest = cv2.max(red, cv2.max(green, blue))
    return np.asarray(cv2.copyMakeBorder(strongest, 1, 0, 1, 0, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _grown(box: tuple[int, ...], size: tuple[int, int], settings: LocateSettings) -> Box:
    left, top, right, bottom = box
    width, height = size
    margin = max(2, round(settings.margin * max(bottom - top, 1)))
    top, bottom = _widened(top - margin, bottom + margin, settings.min_height * height, height)
    left, right = _widened(left - margin, right + margin, bottom - top, width)
    return Box(left, top, right, bottom)


def _widened(low: int, high: int, least: float, limit: int) -> tuple[int, int]:
    """The interval made at least ``least`` long about its middle, within 0..limit."""
    short = least - (high - low)
    if short > 0:
        low, high = low - int(np.ceil(short / 2)), high + int(np.ceil(short / 2))
    return max(low, 0), min(high, limit)
