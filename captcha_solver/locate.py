"""Find the band of an image that holds the text, so that empty margins cost no resolution."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Box, Rgb

Bounds: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, half-open."""

FEWEST_EDGES = 40  # pixels; fewer are specks, not text
LOW = 0.3  # of the image's height: a text found this low is looked for again in a smaller window


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
    counts = histogram(edges)
    floor = max(3 * _quantile(counts, 0.5), 6)
    strong = _quantile(counts, 0.98)
    if strong < floor:  # a small text on a large canvas: fewer than 2 % of the pixels are its edges
        counts[:floor] = 0
        if counts.sum() < FEWEST_EDGES:
            return whole
        strong = _quantile(counts, 0.5)
    level = max(settings.edge_share * strong, floor)
    busy = cv2.threshold(edges, level, 255, cv2.THRESH_BINARY)[1]
    window = max(5, height // 5) | 1
    box = _dense_box(busy, window, settings.density)
    if box is not None and box[3] - box[1] < LOW * height:  # too coarse a window for so low a text: look closer
        area = _clipped((box[0] - window, box[1] - window, box[2] + window, box[3] + window), width, height)
        closer = max(5, (area[3] - area[1]) // 5) | 1
        inner = _dense_box(busy[area[1] : area[3], area[0] : area[2]], closer, settings.density)
        if inner is not None:
            box = (inner[0] + area[0], inner[1] + area[1], inner[2] + area[0], inner[3] + area[1])
    return whole if box is None else _grown(box, (width, height), settings)


def _dense_box(busy: NDArray[Any], window: int, density: float) -> Bounds | None:
    """Bounds of where a share ``density`` of a square ``window`` is ``busy`` (H, W; 0 or 255)."""
    share = cv2.blur(busy, (window, window), borderType=cv2.BORDER_CONSTANT)
    dense = share > 255 * density
    rows, columns = np.flatnonzero(dense.any(axis=1)), np.flatnonzero(dense.any(axis=0))
    if len(rows) == 0:
        return None
    inset = window // 3  # the window sees text before its middle reaches it
    return (
        int(columns[0]) + inset,
        int(rows[0]) + inset,
        int(columns[-1]) + 1 - inset,
        int(rows[-1]) + 1 - inset,
    )


def _clipped(bounds: Bounds, width: int, height: int) -> Bounds:
    left, top, right, bottom = bounds
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _quantile(counts: NDArray[np.float32], share: float) -> int:
    """The level below which ``share`` of what is counted, (256,), lies."""
    reached = counts.cumsum()
    return int(np.searchsorted(reached, share * reached[-1]))


def histogram(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How often each of 0-255 occurs in ``levels``, of any shape: (256,); exact below 16 million values."""
    return np.asarray(cv2.calcHist([levels.reshape(len(levels), -1)], [0], None, [256], [0, 256]), np.float32).ravel()


def edge_strength(image: Rgb) -> NDArray[np.uint8]:
    """Strongest step to the right-hand or lower neighbour in any channel, (H, W) uint8."""
    steps = cv2.absdiff(image[1:, 1:], image[1:, :-1])
    cv2.max(steps, cv2.absdiff(image[1:, 1:], image[:-1, 1:]), dst=steps)
    red, green, blue = cv2.split(steps)
    strongest = cv2.max(red, cv2.max(green, blue))
    return np.asarray(cv2.copyMakeBorder(strongest, 1, 0, 1, 0, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _grown(box: Bounds, size: tuple[int, int], settings: LocateSettings) -> Box:
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
