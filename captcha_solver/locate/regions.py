"""From an image to where its text is: one region a line, top to bottom."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.locate.textmap import TextMap, text_map
from captcha_solver.types import Box, Rgb

FAINT, SURE = 0.05, 0.3  # a patch of spots above FAINT is text where one of them is above SURE
SPECK = 3  # spots; a smaller patch is no text
MARGIN = 0.13  # above and below, of the height of a line
SIDE_MARGIN = 0.3  # left and right of it: letters stand apart, and one at the end is the easiest to miss
LEAST_PX = 2  # of either margin

EMPTY = 0.05  # of the fullest row: rows above and below with less are no text
VALLEY = 0.7  # between two lines there is a row with less than this share of a line's median row
EVEN = 0.4  # a line's median row has at least this share of any other's
OFF = 0.12  # of the text's height: how far a valley may lie from where lines of one height would part
LOWEST = 3  # spots of a line
MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class LocatedText:
    """``whole`` holds all of the text; ``lines`` one region a line, top to bottom, at least one.

    Where there are several lines it is for a reading to say whether they are: letters can have a gap in their middle.
    """

    whole: Box
    lines: tuple[Box, ...]


def locate(image: Rgb) -> LocatedText:
    """Where the text in an (H, W, 3) uint8 image is; all of the image where none is found."""
    return regions(text_map(image), image.shape[:2])


def regions(found: TextMap, size: tuple[int, int]) -> LocatedText:
    """The regions of text in an image of ``size`` (H, W), whose map is ``found``."""
    text = _text(found.glyphs)
    if not text.any():
        everything = Box(0, 0, size[1], size[0])
        return LocatedText(everything, (everything,))
    whole = _region(text, found, size, (0, len(text)))
    edges = _line_edges(np.where(text, found.glyphs, 0).sum(axis=1, dtype=np.float32))
    return LocatedText(whole, tuple(_region(text, found, size, rows) for rows in pairwise(edges)))


def _text(glyphs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The spots of (h, w) that are text: connected faint ones, where some are sure (hysteresis; Canny 1986)."""
    faint = (glyphs > FAINT).astype(np.uint8)
    count, found, stats, _ = cv2.connectedComponentsWithStats(faint, connectivity=8)
    patches = np.asarray(found, np.int32)
    peaks = np.zeros(count, np.float32)
    np.maximum.at(peaks, patches.ravel(), glyphs.ravel())
    kept = (peaks > SURE) & (stats[:, cv2.CC_STAT_AREA] >= SPECK)
    kept[0] = False  # the canvas
    text: NDArray[np.bool_] = kept[patches]
    return text


def _region(text: NDArray[np.bool_], found: TextMap, size: tuple[int, int], rows: tuple[int, int]) -> Box:
    """The box in image pixels round the text in some ``rows`` (first, last + 1) of the map, with its margins."""
    first, last = rows
    within = text[first:last]
    high, wide = np.flatnonzero(within.any(axis=1)), np.flatnonzero(within.any(axis=0))
    top, bottom = (first + high[0]) * found.spot_height_px, (first + high[-1] + 1) * found.spot_height_px
    left, right = wide[0] * found.spot_width_px, (wide[-1] + 1) * found.spot_width_px
    margin, side = (max(LEAST_PX, share * (bottom - top)) for share in (MARGIN, SIDE_MARGIN))
    return Box(
        max(0, int(left - side)),
        max(0, int(top - margin)),
        min(size[1], int(np.ceil(right + side))),
        min(size[0], int(np.ceil(bottom + margin))),
    )


def _line_edges(rows: NDArray[np.float32]) -> list[int]:
    """The first row of each line and the last one's end, given how much text each of ``rows`` (h,) has."""
    written = np.flatnonzero(rows > EMPTY * rows.max())
    top, bottom = int(written[0]), int(written[-1]) + 1
    for count in range(2, MOST_LINES + 1):
        edges = [top, *(_valley(rows, (top, bottom), number / count) for number in range(1, count)), bottom]
        if _parted(rows, edges):
            return edges
    return [top, bottom]


def _valley(rows: NDArray[np.float32], bounds: tuple[int, int], share: float) -> int:
    """The emptiest row about a ``share`` of the way through ``bounds``."""
    top, bottom = bounds
    low = top + int((bottom - top) * (share - OFF))
    high = top + int((bottom - top) * (share + OFF)) + 1
    return low + int(np.argmin(rows[low:high]))


def _parted(rows: NDArray[np.float32], edges: list[int]) -> bool:
    """Whether the lines between ``edges`` are about as full as each other, with clear valleys between them."""
    if min(end - start for start, end in pairwise(edges)) < LOWEST:
        return False
    full = [float(np.median(rows[start:end])) for start, end in pairwise(edges)]
    deepest = max(float(rows[edge]) for edge in edges[1:-1])
    return deepest < VALLEY * min(full) and min(full) > EVEN * max(full)
