"""Lays glyphs by the even-odd rule: where a glyph covers, the text layer is turned over.

Tested in ``tests/designs/distortions/test_fills.py``.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.drawing.scene import INKED, Coverage, FloatArray, Scene


def reach_px(page: Page) -> FloatArray:
    """(N, 1, 1) how far copies of the outlines may reach beyond their glyphs, whole px."""
    offset, size = np.hypot(page.copies[..., 0], page.copies[..., 1]), page.copies[..., 2]
    far_px = page.size_px[:, :, None] * (offset + np.maximum(size - 1, 0))
    return np.asarray(np.ceil(far_px.max(axis=(1, 2))), np.float32)[:, None, None]


def crossing(page: Page, place: tuple[int, int], glyph: Coverage, middle_px: FloatArray) -> Coverage:
    """One glyph and the copies of its outline, filled by the even-odd rule; copies grow from its ``middle_px`` (2,)."""
    flags = cv2.INTER_NEAREST if page.crisp[place[0], 0] else cv2.INTER_LINEAR
    filled = glyph
    for *offset, size in page.copies[place].tolist():
        if size > 0:
            move = middle_px * (1 - size) + np.multiply(offset, page.size_px[place])
            matrix = np.array([[size, 0, move[0]], [0, size, move[1]]])
            filled = turned_over(filled, np.asarray(cv2.warpAffine(glyph, matrix, glyph.shape[::-1], flags=flags)))
    return filled


def turned_over(under: Coverage, over: NDArray[Any]) -> Coverage:
    """Coverage 0-255 by one of two shapes but not by both."""
    one, other = under.astype(np.int32), over.astype(np.int32)
    return np.asarray((one * (255 - other) + other * (255 - one) + 127) // 255, np.uint8)


def lay_crossing(scene: Scene, index: int, glyph: Coverage, place: tuple[slice, slice]) -> None:
    """Lay one glyph by the even-odd rule; what it empties belongs to no glyph."""
    region = scene.mask[place]
    region[:] = turned_over(region, glyph)
    if scene.inks is not None and scene.glyph_colours is not None:
        scene.inks[place][glyph > INKED] = scene.glyph_colours[index]
    if scene.owners is not None:
        owners = scene.owners[place]
        owners[(glyph > 80) | (owners == 0)] = index + 1
        owners[region <= 80] = 0
