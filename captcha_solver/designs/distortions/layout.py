"""Distortions of the layout: how each glyph is turned, bent, weighted, coloured and spaced.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.knobs import PageDistortion, choice, setting, strength


@dataclass(frozen=True, slots=True)
class Rotate(PageDistortion):
    """Turn each glyph about its centre by up to ``max_deg`` either way."""

    max_deg: float = strength(20, 0, 180)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.rotation_deg += on * page.uniform(-self.max_deg, self.max_deg)


@dataclass(frozen=True, slots=True)
class RotateText(PageDistortion):
    """Turn all glyphs by one common angle, each about its own centre."""

    max_deg: float = strength(12, 0, 90)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.rotation_deg += on * page.uniform_each(-self.max_deg, self.max_deg)


@dataclass(frozen=True, slots=True)
class Skew(PageDistortion):
    """Slant each glyph; ``shared_fraction`` of the angle is common to the whole text."""

    max_deg: float = strength(15, 0, 60)
    shared_fraction: float = setting(0, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        common, own = page.uniform_each(-1, 1), page.uniform(-1, 1)
        lean = self.shared_fraction * common + (1 - self.shared_fraction) * own
        page.skew_deg += on * self.max_deg * lean


@dataclass(frozen=True, slots=True)
class SizeJitter(PageDistortion):
    """Make glyphs of different sizes, each up to ``max_fraction`` larger or smaller."""

    max_fraction: float = strength(0.2, 0, 0.7)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.size_px *= 1 + on * page.uniform(-self.max_fraction, self.max_fraction)


@dataclass(frozen=True, slots=True)
class Stretch(PageDistortion):
    """Widen or narrow the glyphs, all by one factor or each by its own."""

    max_fraction: float = strength(0.25, 0, 0.7)
    each: str = choice("together", "apart")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        apart = np.asarray(self.each) == "apart"
        spread = np.where(apart, page.uniform(-1, 1), page.uniform_each(-1, 1))
        page.stretch *= (1 + on * spread * self.max_fraction).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bounce(PageDistortion):
    """Move each glyph off the baseline by up to ``max_fraction`` of the canvas height."""

    max_fraction: float = strength(0.1, 0, 0.5)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.shift_px[:, :, 1] += on * page.uniform(-1, 1) * (self.max_fraction * page.height_px)


@dataclass(frozen=True, slots=True)
class Spread(PageDistortion):
    """Put extra space between glyphs, up to ``max_fraction`` of the font size."""

    max_fraction: float = strength(0.3, 0, 1.5)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.gap_fraction += on * page.uniform(0, self.max_fraction)


@dataclass(frozen=True, slots=True)
class Overlap(PageDistortion):
    """Negative kerning: pull each glyph over the one before by up to ``max_fraction`` of the font size."""

    max_fraction: float = strength(0.12, 0, 0.6)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.gap_fraction -= on * page.uniform(0.3, 1) * np.float32(self.max_fraction)


@dataclass(frozen=True, slots=True)
class EvenSteps(PageDistortion):
    """Put glyphs at even steps, whatever their width, as scripts that place them one by one do.

    ``place``: each begins where its step begins, or stands at the middle of it.
    """

    step_fraction: float = setting(0.65, 0.3, 1.5)
    share_probability: float = strength(1, 0, 1)
    place: str = choice("left", "middle")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform_each(0, 1) < self.share_probability)
        page.step_fraction[:] = np.where(chosen, self.step_fraction, page.step_fraction)
        page.in_step_middle |= chosen & (np.asarray(self.place) == "middle")


@dataclass(frozen=True, slots=True)
class Collapse(PageDistortion):
    """Push glyphs together until their ink touches (crowding), each pair with ``share_probability``."""

    share_probability: float = strength(0.6, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.touch_fraction[:] = np.maximum(page.touch_fraction, on * np.float32(self.share_probability))


@dataclass(frozen=True, slots=True)
class CornerWarp(PageDistortion):
    """Pull the four corners of each glyph about (a perspective of its own), by shares of its size."""

    max_fraction: float = strength(0.12, 0, 0.5)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        reach = np.reshape(np.float32(on * self.max_fraction), (-1, 1, 1, 1))
        offsets = page.rng.random((*page.shape, 4, 2), np.float32)
        page.corners_fraction += (2 * offsets - 1) * reach


@dataclass(frozen=True, slots=True)
class Bend(PageDistortion):
    """Bend each glyph along a sine of its own (amplitude in font sizes)."""

    max_fraction: float = strength(0.05, 0, 0.2)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.bend_fraction += on * page.uniform(0.3, 1) * np.float32(self.max_fraction)


@dataclass(frozen=True, slots=True)
class Weight(PageDistortion):
    """Thicken or thin the strokes by up to ``max_px`` in all."""

    max_px: float = strength(1.0, 0, 6)
    direction: str = choice("either", "thicker", "thinner")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        direction = np.asarray(self.direction)
        share = page.uniform_each(0, 1)
        share = np.where(direction == "thinner", -share, share)
        share = np.where(direction == "either", 2 * share - 1, share)
        page.weight_px += (on * share * self.max_px).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Hollow(PageDistortion):
    """Draw glyphs as outlines of ``width_px``; each glyph with ``each_probability``."""

    width_px: float = setting(1.5, 0.5, 6)
    each_probability: float = strength(1.0, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform(0, 1) < self.each_probability)
        page.hollow_px[:] = np.where(chosen, self.width_px, page.hollow_px)


@dataclass(frozen=True, slots=True)
class Bitmap(PageDistortion):
    """Make glyphs of cells, ``rows_count`` to the font size, as the fonts of early screens have them.

    ``uneven_fraction`` makes some rows of cells higher than others.
    """

    rows_count: float = setting(12, 6, 40)
    uneven_fraction: float = setting(0, 0, 1)
    share_probability: float = strength(1, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform_each(0, 1) < self.share_probability)
        page.bitmap_rows[:] = np.where(chosen, self.rows_count, page.bitmap_rows)
        page.uneven_fraction[:] = np.where(chosen, self.uneven_fraction, page.uneven_fraction)


@dataclass(frozen=True, slots=True)
class GlyphColours(PageDistortion):
    """Give each glyph a colour of its own, up to ``max_levels`` from the text's in each channel."""

    max_levels: float = strength(90, 0, 255)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        base = page.ink[:, None]
        spread = page.rng.uniform(-1, 1, (*page.shape, 3)) * np.reshape(self.max_levels, (-1, 1, 1))
        colours = np.clip(base + spread, 0, 255)
        away = np.abs(colours - page.background[:, None]).max(axis=2, keepdims=True)
        colours = np.where(away < 50, base, colours)  # never the colour of the canvas
        page.colours[:] = np.where(on[:, :, None], colours, page.colours)
        page.coloured |= on[:, 0]


@dataclass(frozen=True, slots=True)
class Translucent(PageDistortion):
    """Let glyphs shine through each other: each leaves ``loss_fraction`` of what is under it to be seen."""

    loss_fraction: float = strength(0.4, 0, 0.85)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        page.opacity *= (1 - on * page.uniform_each(0.3, 1) * self.loss_fraction).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TwoLayers(PageDistortion):
    """Set the text in two rows, the upper read first, the rows ``overlap_fraction`` of a row into each other."""

    overlap_fraction: float = strength(0.08, 0, 0.5)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        lengths = page.valid.sum(axis=1, keepdims=True)
        split = on & (lengths > 1)
        row_px = page.height_px * 0.5 * (1 + np.float32(self.overlap_fraction))
        offset_px = page.height_px / 2 - row_px / 2
        upper = np.arange(page.shape[1]) < (lengths + 1) // 2
        page.rows[:] = np.where(split, 2, page.rows)
        page.size_px[:] = np.where(split, np.minimum(page.size_px, row_px), page.size_px)
        page.shift_px[:, :, 1] += split * np.where(upper, -offset_px, offset_px)
