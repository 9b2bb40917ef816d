"""Turn a grey image into a lattice: cuts from left to right, and the unions of pieces between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.segmented.gray import GraySettings
from captcha_solver.segmented.ink import Ink, find_ink
from captcha_solver.segmented.seams import Seams, find_seams
from captcha_solver.types import Box, Gray

_FILLED = 20 / 28  # part of a crop's side that the glyph's longest side takes, as in MNIST
_SLIVER = 0.04  # components of a candidate with less than this part of its ink are a neighbour's slivers
_THIN = 0.2  # height, in text heights, below which a component across a candidate is a line
_COARSEST = 5.0  # times the least distance of cuts; beyond it an image has what candidates it has
_SOFT = 0.05  # of ink: fainter pixels belong to no piece


@dataclass(frozen=True, slots=True)
class SegmentSettings(GraySettings):
    """How an image is cut into candidates. Lengths without a unit are in heights of the text.

    ``glyph_px`` side of a crop; ``text_px`` working height of the text; ``threshold`` of ink, 0-1;
    ``spacing`` least distance of cuts; ``longest`` longest stretch of ink without a cut; ``widest`` and
    ``lowest`` bound a candidate's width from above and its height from below; ``gap`` the widest
    empty stretch within one; ``most_intervals`` that a candidate spans; ``most_candidates`` an image may
    have before it is cut more coarsely; ``noise_prior`` 0-1 probability that a piece of ink is of no glyph.
    """

    glyph_px: int = 32
    text_px: float = 40.0
    threshold: float = 0.5
    spacing: float = 0.12
    longest: float = 0.2
    widest: float = 1.6
    lowest: float = 0.25
    gap: float = 0.3
    most_intervals: int = 14
    most_candidates: int = 1000
    noise_prior: float = 0.1

    def __post_init__(self) -> None:
        GraySettings.__post_init__(self)
        if self.glyph_px < 8 or self.text_px < 8:
            sides = f"{self.glyph_px}, {self.text_px}"
            raise OptionError(f"expected glyph_px and text_px of 8 or more, received {sides}")
        if not 0 < self.threshold < 1 or not 0 < self.noise_prior < 1:
            raise OptionError("expected threshold and noise_prior between 0 and 1")
        if min(self.spacing, self.longest, self.widest, self.lowest, self.gap) <= 0:
            raise OptionError("expected positive spacing, longest, widest, lowest and gap")
        if self.most_intervals < 1 or self.most_candidates < 1:
            raise OptionError("expected most_intervals and most_candidates of 1 or more")


@dataclass(frozen=True, slots=True)
class Lattice:
    """Intervals of ink between neighbouring cuts, and the candidates made of them.

    ``ink`` the image at the working size; ``pieces`` (h, w) int16, the interval of each of its pixels, -1
    where there is no ink; ``bounds`` (K, 4) int32, left, top, right and bottom of each of the K intervals
    (all 0 if empty); ``shares`` (K,) float32, the part of the ink in each, sum 1; ``edges`` (N, 2) int32,
    first cut and last cut of each candidate: it is made of the intervals ``first..last-1``.
    """

    ink: Ink
    pieces: NDArray[np.int16]
    bounds: NDArray[np.int32]
    shares: NDArray[np.float32]
    edges: NDArray[np.int32]


def find_lattice(gray: Gray, settings: SegmentSettings) -> Lattice | None:
    """Cut ``gray`` (H, W) float32 0-1, ink = 1, generously; ``None`` where there is no ink."""
    ink = find_ink(gray, settings.text_px, settings.threshold)
    if ink is None:
        return None
    coarseness = 1.0
    while True:
        seams = find_seams(ink, settings.spacing * coarseness, settings.longest * coarseness)
        pieces = _pieces(ink, seams)
        bounds = _bounds(pieces, len(seams.columns) - 1)
        edges = np.array(list(_edges(bounds, ink.text_px, settings)), np.int32).reshape(-1, 2)
        if len(edges) <= settings.most_candidates or coarseness > _COARSEST:
            break
        coarseness *= 1.5
    inside = pieces >= 0
    shares = np.bincount(pieces[inside], ink.gray[inside], minlength=len(bounds))
    return Lattice(ink, pieces, bounds, (shares / shares.sum()).astype(np.float32), edges)


def crop(lattice: Lattice, edge: Sequence[int], settings: SegmentSettings) -> tuple[NDArray[np.float32], Box] | None:
    """One candidate: crop (G, G) float32 0-1 and box in image pixels; ``None`` if too low to be a glyph."""
    first, last = int(edge[0]), int(edge[1])
    left, top, right, bottom = _union(lattice.bounds[first:last])
    part = np.s_[top:bottom, left:right]
    inside = (lattice.pieces[part] >= first) & (lattice.pieces[part] < last)
    pixels = np.where(inside, lattice.ink.gray[part], np.float32(0.0))
    box = _tight(pixels, settings.threshold / 2, _THIN * lattice.ink.text_px)
    if box is None or box.height_px < settings.lowest * lattice.ink.text_px:
        return None
    tight = pixels[box.top_px : box.bottom_px, box.left_px : box.right_px]
    scale = lattice.ink.scale
    image_box = Box(
        int((left + box.left_px) / scale),
        int((top + box.top_px) / scale),
        int(np.ceil((left + box.right_px) / scale)),
        int(np.ceil((top + box.bottom_px) / scale)),
    )
    return normalise(tight, settings.glyph_px), image_box


def normalise(pixels: NDArray[np.float32], glyph_px: int) -> NDArray[np.float32]:
    """``pixels`` (h, w) 0-1 scaled, aspect kept, into (glyph_px, glyph_px), its mass centred."""
    height, width = pixels.shape
    factor = glyph_px * _FILLED / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    moments = cv2.moments(small)
    mass = max(moments["m00"], 1e-6)
    left = round(glyph_px / 2 - moments["m10"] / mass - 0.5)
    top = round(glyph_px / 2 - moments["m01"] / mass - 0.5)
    left, top = (min(max(at, 0), glyph_px - side) for at, side in zip((left, top), size, strict=True))
    out = np.zeros((glyph_px, glyph_px), np.float32)
    out[top : top + size[1], left : left + size[0]] = np.clip(small, 0.0, 1.0)
    return out


def _pieces(ink: Ink, seams: Seams) -> NDArray[np.int16]:
    """Interval of each working pixel of ink, (h, w) int16, -1 elsewhere."""
    height, width = ink.gray.shape
    steps = np.zeros((height, width + 1), np.int16)
    for columns in seams.columns[1:-1]:
        steps[np.arange(height), columns] += 1
    return np.where(ink.gray > _SOFT, np.cumsum(steps, axis=1, dtype=np.int16)[:, :-1], np.int16(-1))


def _bounds(pieces: NDArray[np.int16], count: int) -> NDArray[np.int32]:
    """Left, top, right, bottom (K, 4) of each interval, all 0 where it has no ink."""
    ys, xs = np.nonzero(pieces >= 0)
    order = np.argsort(pieces[ys, xs], kind="stable")
    ys, xs = ys[order], xs[order]
    full, starts = np.unique(pieces[ys, xs], return_index=True)
    bounds = np.zeros((count, 4), np.int32)
    for column, values in enumerate((xs, ys)):
        bounds[full, column] = np.minimum.reduceat(values, starts)
        bounds[full, column + 2] = np.maximum.reduceat(values, starts) + 1
    return bounds


def _edges(bounds: NDArray[np.int32], text_px: float, settings: SegmentSettings) -> Iterator[tuple[int, int]]:
    """Unions of neighbouring intervals of a glyph's size, empty ones at neither end."""
    boxes = bounds.tolist()
    widest, lowest, gap = (part * text_px for part in (settings.widest, settings.lowest, settings.gap))
    for first, (left, top, right, bottom) in enumerate(boxes):
        for last in range(first, min(len(boxes), first + settings.most_intervals) if right else first):
            box = boxes[last]
            if not box[2]:
                continue
            if box[0] - right > gap:
                break
            left, top = min(left, box[0]), min(top, box[1])
            right, bottom = max(right, box[2]), max(bottom, box[3])
            if last > first and right - left > widest:
                break
            if bottom - top >= lowest:
                yield first, last + 1


def _union(bounds: NDArray[np.int32]) -> tuple[int, int, int, int]:
    boxes = [box for box in bounds.tolist() if box[2]]
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _tight(pixels: NDArray[np.float32], threshold: float, thin_px: float) -> Box | None:
    """Box around the ink of ``pixels`` (h, w), a neighbour's slivers and lines that pass by left out.

    What is left out is blanked in ``pixels`` itself. A line that passes by runs from side to side, flat, and
    touches nothing else.
    """
    mask = np.asarray(pixels > threshold, np.uint8)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if number == 1:
        return None
    areas, width = stats[1:, cv2.CC_STAT_AREA], pixels.shape[1]
    passing = stats[1:, cv2.CC_STAT_WIDTH] >= width - 1
    passing &= stats[1:, cv2.CC_STAT_HEIGHT] <= min(thin_px, width / 2)
    passing &= areas < areas.max()
    keep = (areas >= _SLIVER * areas.sum()) & ~passing
    if not keep.all():
        pixels[~np.concatenate([[True], keep])[labels]] = 0.0
    corners = stats[1:][keep][:, :4]
    corners[:, 2:] += corners[:, :2]
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
