"""Turn a grey image into ink at the working size: thresholded, strike lines and specks taken out."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.segmented.gray import resize
from captcha_solver.types import Gray

Mask = NDArray[np.uint8]
"""(H, W) 1 where there is ink, else 0."""
"""Binary image, (H, W) uint8, ink = 1."""

_MAX_SIDE_PX = 1600  # of the working image


@dataclass(frozen=True, slots=True)
class Ink:
    """An image made ready for cutting.

    ``gray`` (h, w) float32 0-1 at the working size, 0 outside the kept ``mask`` (h, w) uint8; ``scale``
    working pixels an image pixel; ``text_px`` and ``stroke_px``, height of the text and width of its
    strokes, in working pixels.
    """

    gray: Gray
    mask: Mask
    scale: float
    text_px: float
    stroke_px: float


def find_ink(gray: Gray, text_px: float, threshold: float) -> Ink | None:
    """The ink of ``gray`` (H, W), scaled with text about ``text_px`` high; ``None`` if there is none."""
    mask = np.asarray(gray > threshold, np.uint8)
    height = text_height(mask)
    if height == 0.0:
        return None
    scale = min(text_px / height, _MAX_SIDE_PX / max(gray.shape))
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    work = resize(gray, *size)
    mask = np.asarray(work > threshold, np.uint8)
    if not mask.any():
        return None
    stroke = stroke_width(mask)
    tall = height * scale
    kept = without_specks(without_lines(mask, tall, stroke), tall, stroke)
    if not kept.any():
        return None
    around = cv2.dilate(kept, np.ones((3, 3), np.uint8))  # the soft edge of the ink belongs to it
    return Ink(np.where(around > 0, work, np.float32(0.0)), kept, scale, tall, stroke_width(kept))


def text_height(mask: Mask) -> float:
    """Height of the text in pixels: the median over ink pixels of their component's height; 0 without ink."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    heights, areas = stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_AREA]
    if not len(heights):
        return 0.0
    order = np.argsort(heights)
    half = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(heights[order[min(int(half), len(order) - 1)]])


def stroke_width(mask: Mask) -> float:
    """Width of the strokes in pixels: in a bar of width w, the median distance to the edge is w / 4."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    inside = distance[distance > 0]
    return max(1.0, 4.0 * float(np.median(inside)) - 1.0) if inside.size else 1.0


def without_lines(mask: Mask, text_px: float, stroke_px: float) -> Mask:
    """``mask`` without strike lines: long chains, across, of ink much thinner than the strokes.

    Thin ink is what an opening by half a stroke takes away. Serifs and the thin arms of letters are thin
    too, so only chains that run on, from one side of a stroke to the other, for more than a letter's height
    are lines.
    """
    size = round(0.65 * stroke_px)
    if size < 2:
        return mask
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(size))
    thick = np.asarray(cv2.dilate(thick, np.ones((3, 3), np.uint8)), np.uint8)
    thin = np.asarray((mask > 0) & (thick == 0), np.uint8)
    bridge = np.ones((3, 2 * int(0.75 * stroke_px) + 3), np.uint8)
    _, chains, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(thin, bridge), connectivity=8)
    across = stats[:, cv2.CC_STAT_WIDTH] - bridge.shape[1] + 1
    line = (across > 1.1 * text_px) & (across > 1.5 * stats[:, cv2.CC_STAT_HEIGHT])
    line[0] = False
    return np.asarray(mask & (1 - (line[chains] & (thin > 0))), np.uint8)


def without_specks(mask: Mask, text_px: float, stroke_px: float) -> Mask:
    """``mask`` without components smaller than a dot as wide as a stroke (the dot of an i stays)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    side = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = (area >= 0.6 * stroke_px**2) & (side >= 0.09 * text_px)
    keep |= side >= 0.4 * text_px
    keep[0] = False
    return np.asarray(keep[labels], np.uint8)


def _disc(size_px: int) -> Mask:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size_px, size_px)), np.uint8)
