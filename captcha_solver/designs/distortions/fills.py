"""Distortions of what glyphs stand on and how they are filled: cells of colour, and the even-odd rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import BOXES, COLUMNS, Page
from captcha_solver.designs.knobs import PageDistortion, choice, setting, strength

GREY_SHARE = 0.25  # of texts have cells that differ in lightness alone
READABLE_LEVELS = 80  # of lightness between an ink and its cell
LIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True, slots=True)
class Cells(PageDistortion):
    """Stand each glyph on a cell of its own colour; cells differ by up to ``contrast_levels``, ``gap_px`` lie between.

    An ink too near its cell is made lighter or darker: list this kind after those that colour the glyphs.
    """

    contrast_levels: float = strength(90, 0, 255)
    gap_px: float = setting(0, 0, 8)
    shape: str = choice("columns", "boxes")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (np.asarray(self.contrast_levels) > 0)
        half = np.reshape(self.contrast_levels, (-1, 1, 1)) / 2
        middle = np.clip(page.background[:, None], half, 255 - half)
        cells = middle + half * _opposed(page)
        page.cell_colours[:] = np.where(chosen[:, :, None], cells, page.cell_colours)
        shape = np.where(np.asarray(self.shape) == "boxes", BOXES, COLUMNS)
        page.cell_shape[:] = np.where(chosen, shape, page.cell_shape)
        page.cell_gap_px[:] = np.where(chosen, self.gap_px, page.cell_gap_px)
        page.colours[:] = np.where(chosen[:, :, None], readable(page.colours, cells), page.colours)
        page.coloured |= chosen[:, 0]


def _opposed(page: Page) -> NDArray[np.float64]:
    """Directions of colour (N, L, 3), the largest channel 0.6-1 either way; neighbours point away from each other."""
    away = page.rng.uniform(-1, 1, (*page.shape, 3))
    away = np.where((page.uniform_each(0, 1) < GREY_SHARE)[:, :, None], away[..., :1], away)
    away *= page.uniform(0.6, 1)[:, :, None] / np.abs(away).max(axis=2, keepdims=True)
    for i in range(1, page.shape[1]):
        alike = (away[:, i] * away[:, i - 1]).sum(axis=1, keepdims=True) > 0
        away[:, i] *= np.where(alike, -1, 1)
    return away


def readable(inks: NDArray[np.floating], cells: NDArray[np.floating]) -> NDArray[np.float64]:
    """``inks`` (..., 3) 0-255; those too near the lightness of their ``cells`` go towards black or white."""
    ink, cell = inks @ LIGHTNESS, cells @ LIGHTNESS
    far = np.where(cell > 127.5, 0.0, 255.0)
    aim = cell + np.where(far > 0, READABLE_LEVELS, -READABLE_LEVELS)
    share = np.where(np.abs(ink - cell) < READABLE_LEVELS, (aim - ink) / np.where(far == ink, 1, far - ink), 0)
    return np.asarray(inks + share[..., None] * (far[..., None] - inks))


@dataclass(frozen=True, slots=True)
class EvenOdd(PageDistortion):
    """Turn the fill over wherever outlines overlap: those of neighbours, and each glyph's own with its copies'.

    A copy is moved, and may be enlarged, by up to ``offset_fraction`` of the font size; all glyphs alike or each apart.
    """

    offset_fraction: float = strength(0.08, 0, 0.3)
    copy_count: float = setting(1, 0, 2)
    each: str = choice("together", "apart")

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        chosen = on & (np.asarray(self.offset_fraction) > 0)
        apart = np.asarray(self.each) == "apart"
        page.even_odd |= chosen
        for copy in range(page.copies.shape[2]):
            turn, far, growth = (np.where(apart, page.uniform(0, 1), page.uniform_each(0, 1)) for _ in range(3))
            reach = (0.5 + 0.5 * far) * self.offset_fraction
            size = 1 + 2 * growth * self.offset_fraction
            made = np.stack([reach * np.cos(2 * np.pi * turn), reach * np.sin(2 * np.pi * turn), size], axis=2)
            here = chosen & (np.round(self.copy_count) > copy)
            page.copies[:, :, copy] = np.where(here[:, :, None], made, page.copies[:, :, copy])
