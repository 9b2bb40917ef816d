"""Find the lines of a text that stands in two or three rows, and lay them side by side for a reader of one line."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.locate import histogram
from captcha_solver.types import Rgb
from captcha_solver.views import View

STRONG_SHARE, FAINTEST = 0.35, 24  # an ink pixel: of the strongest ink; levels 0-255
EMPTY_SHARE = 0.05  # of the densest row: rows above and below with less are no text
VALLEY_SHARE = 0.6  # between two lines there is a row with less than this share of the ink of a line's median row
EVEN_SHARE = 0.4  # a line's median row has at least this share of the ink of any other's
LOWEST_PX = 8  # of a line
OFF_SHARE = 0.12  # of the text's height: how far a valley may lie from where lines of one height would part
MARGIN_PX = 2


def text_lines(image: Rgb) -> list[tuple[int, int]]:
    """First and last row + 1 of each line of text in an (H, W, 3) uint8 image, top to bottom; one where there is one.

    A line is told by rows of ink of about one density, parted by a valley where lines of one height would part. Not all
    that looks so is (letters have a hole in their middle): what is read decides.
    """
    rows = _density(image)
    peak = float(rows.max())
    if peak == 0:
        return [(0, len(rows))]
    written = np.flatnonzero(rows > EMPTY_SHARE * peak)
    top, bottom = int(written[0]), int(written[-1]) + 1
    for count in (2, 3):
        edges = _edges(rows, (top, bottom), count)
        if edges is not None:
            return list(pairwise(edges))
    return [(top, bottom)]


def in_one_line(image: Rgb) -> View | None:
    """The lines of a text side by side, on the canvas' colour; ``None`` where it stands in one line."""
    lines = text_lines(image)
    if len(lines) < 2:
        return None
    ink, canvas = _ink(image)
    height = max(bottom - top for top, bottom in lines) + 2 * MARGIN_PX
    parts, starts, at = [], [], 0
    for top, bottom in lines:
        columns = np.flatnonzero((ink[top:bottom] > FAINTEST).any(axis=0))
        left, right = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, image.shape[1])
        part = np.empty((height, right - left + 2 * MARGIN_PX, 3), np.uint8)
        part[:] = canvas
        above = (height - (bottom - top)) // 2
        part[above : above + bottom - top, MARGIN_PX : MARGIN_PX + right - left] = image[top:bottom, left:right]
        parts.append(part)
        starts.append((at, float(left - MARGIN_PX)))
        at += part.shape[1]
    return View(np.concatenate(parts, axis=1), pieces=tuple(starts))


def _edges(rows: NDArray[np.float32], bounds: tuple[int, int], count: int) -> list[int] | None:
    """The ``count`` + 1 edges of lines of about one height within ``bounds``, or ``None`` where none part there."""
    top, bottom = bounds
    height = bottom - top
    edges = [top]
    for number in range(1, count):
        low = top + int(height * (number / count - OFF_SHARE))
        high = top + int(height * (number / count + OFF_SHARE)) + 1
        edges.append(low + int(np.argmin(rows[low:high])))
    edges.append(bottom)
    if min(b - a for a, b in pairwise(edges)) < LOWEST_PX:
        return None
    densities = [float(np.median(rows[a:b])) for a, b in pairwise(edges)]
    parted = max(float(rows[edge]) for edge in edges[1:-1]) < VALLEY_SHARE * min(densities)
    return edges if parted and min(densities) > EVEN_SHARE * max(densities) else None


def _density(image: Rgb) -> NDArray[np.float32]:
    """Share of ink in each row, (H,) float32 0-1, smoothed over three rows; lines of one pixel are taken away."""
    ink = np.asarray(cv2.erode(_ink(image)[0], np.ones((2, 2), np.uint8)), np.uint8)
    counts = histogram(ink).cumsum()
    strongest = int(np.searchsorted(counts, 0.995 * counts[-1]))
    marked = cv2.threshold(ink, max(STRONG_SHARE * strongest, FAINTEST), 1, cv2.THRESH_BINARY)[1]
    rows = marked.mean(axis=1, dtype=np.float32)
    return np.asarray(cv2.blur(rows[:, None], (1, 3)), np.float32)[:, 0]


def _ink(image: Rgb) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Largest difference of a channel from the canvas, (H, W) uint8, and the canvas' colour (3,), the median one."""
    channels = cv2.split(image)
    half = image.shape[0] * image.shape[1] / 2
    canvas = [int(np.searchsorted(histogram(np.asarray(c, np.uint8)).cumsum(), half)) for c in channels]
    gaps = [cv2.absdiff(c, np.full_like(c, level)) for c, level in zip(channels, canvas, strict=True)]
    return np.asarray(cv2.max(gaps[0], cv2.max(gaps[1], gaps[2])), np.uint8), np.array(canvas, np.uint8)
