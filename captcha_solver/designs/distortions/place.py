"""Distortions of the layout that move whole texts: scattered, on an arc, in rows, cut by the edge, small and crisp."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.knobs import PageDistortion, choice, setting, strength

MOST_ROWS = 3
MOST_INDENT = 1.5  # font sizes


@dataclass(frozen=True, slots=True)
class Scatter(PageDistortion):
    """Put glyphs far apart, with gaps of up to ``gap_fraction`` of the font size.

    Each stands at a height of its own within ``height_fraction`` of the free height, turned by up to ``max_deg``.
    """

    gap_fraction: float = strength(0.6, 0, 1.2)
    height_fraction: float = strength(0.6, 0, 1)
    max_deg: float = strength(30, 0, 60)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        moved = on & (np.asarray(self.height_fraction) > 0)
        page.size_px[:] = np.where(moved, np.minimum(page.size_px, 0.6 * page.height_px), page.size_px)
        free_px = np.maximum(page.height_px - 0.75 * page.size_px, 0)
        page.gap_fraction += on * page.uniform(0, self.gap_fraction)
        page.shift_px[:, :, 1] += on * page.uniform(-0.5, 0.5) * self.height_fraction * free_px
        page.rotation_deg += on * page.uniform(-self.max_deg, self.max_deg)


@dataclass(frozen=True, slots=True)
class Arc(PageDistortion):
    """Set the text on an arc, open below or above, that spans up to ``max_deg`` where the canvas is high enough."""

    max_deg: float = strength(100, 0, 300)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        bent = on & (np.asarray(self.max_deg) > 0)
        page.size_px[:] = np.where(bent, np.minimum(page.size_px, 0.5 * page.height_px), page.size_px)
        side = np.where(page.uniform_each(0, 1) < 0.5, -1, 1)
        page.arc_deg[:] = np.where(bent, side * page.uniform_each(0.5, 1) * self.max_deg, page.arc_deg)


@dataclass(frozen=True, slots=True)
class Rows(PageDistortion):
    """Set the text in ``row_count`` rows, read from top to bottom; a text of fewer characters has fewer rows.

    ``align``: all begin at one left edge, are centred, or are indented, each by up to ``MOST_INDENT`` font sizes.
    """

    row_count: float = setting(2, 2, MOST_ROWS)
    share_probability: float = strength(1, 0, 1)
    align: str = choice("left", "centred", "indented")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform_each(0, 1) < self.share_probability)
        rows = np.minimum(np.round(self.row_count), page.valid.sum(axis=1, keepdims=True)).astype(np.int32)
        split = chosen & (rows > 1) & (page.rows == 1)
        page.rows[:] = np.where(split, rows, page.rows)
        row_px = page.height_px / np.maximum(rows, 1)
        page.size_px[:] = np.where(split, np.minimum(page.size_px, row_px), page.size_px)
        row_of_glyph = page.row_of_glyph()
        page.shift_px[:, :, 1] += split * (row_of_glyph - (rows - 1) / 2) * row_px
        align = np.asarray(self.align)
        page.centred |= split & (align == "centred")
        if (align == "indented").any():
            indents = page.rng.uniform(0, MOST_INDENT, (len(rows), MOST_ROWS))
            moved = np.take_along_axis(indents, np.minimum(row_of_glyph, MOST_ROWS - 1), axis=1)
            page.indent_fraction[:] = np.where(split & (align == "indented"), moved, page.indent_fraction)


@dataclass(frozen=True, slots=True)
class Clip(PageDistortion):
    """Let an edge of the canvas cut the text: the glyph that loses most loses up to ``max_fraction`` of its size."""

    max_fraction: float = strength(0.2, 0, 0.35)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        side = np.minimum(page.uniform_each(0, 4), 3).astype(int)
        share = on * page.uniform_each(0.3, 1) * self.max_fraction
        page.clip_fraction[:] = np.where(on & (np.arange(4) == side), share, page.clip_fraction)


@dataclass(frozen=True, slots=True)
class PaleInks(PageDistortion):
    """Give each glyph an ink of its own near the canvas: up to ``contrast_levels`` darker (on a dark one, lighter)."""

    contrast_levels: float = setting(90, 40, 200)
    share_probability: float = strength(1, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform_each(0, 1) < self.share_probability)
        away = page.rng.uniform(0, 1, (*page.shape, 3))
        away /= away.max(axis=2, keepdims=True)  # one channel goes all the way: no glyph is lost in the canvas
        light = page.background.mean(axis=1)[:, None, None] > 127
        levels = np.reshape(self.contrast_levels, (-1, 1, 1)) * away
        colours = np.clip(page.background[:, None] + np.where(light, -levels, levels), 0, 255)
        page.colours[:] = np.where(chosen[:, :, None], colours, page.colours)
        page.coloured |= chosen[:, 0]


@dataclass(frozen=True, slots=True)
class Crisp(PageDistortion):
    """Draw small upright glyphs at their own size, hinted and without grey edges; ``size_px`` is the font size."""

    size_px: float = setting(14, 8, 40)
    share_probability: float = strength(1, 0, 1)

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (page.uniform_each(0, 1) < self.share_probability)
        page.size_px[:] = np.where(chosen, np.minimum(page.size_px, self.size_px), page.size_px)
        page.crisp |= chosen
