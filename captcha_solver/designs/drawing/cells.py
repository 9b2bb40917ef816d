"""Paints the cells that glyphs stand on, from the boxes (L, 4) of the glyphs.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import BOXES, Page
from captcha_solver.designs.drawing.scene import FloatArray, Scene

PADDING = 0.12  # of its height lies round a glyph in a box
APART = 0.4  # of its width must a glyph lie beyond the one before to stand in a column of its own

Labels = tuple[NDArray[np.int64], NDArray[np.bool_]]  # which cell a place belongs to, and whether it is clear of a gap


def paint_cells(scene: Scene, page: Page, picture: int, boxes: FloatArray) -> None:
    """Paint the cells of one ``picture`` of ``page``; ``boxes`` (L, 4) left, top, right, bottom of its glyphs in px."""
    glyphs = len(boxes)
    gap_px, rows = float(page.cell_gap_px[picture, 0]), page.row_of_glyph()[picture, :glyphs]
    columns, lines = scene.grid()
    across = _beyond(boxes[:, 0::2], columns[0])
    down = _beyond(boxes[:, 1::2], lines[:, 0])
    if _in_order(boxes, rows):
        labels, painted = _columns(across, down, rows, gap_px)
    else:
        labels, painted = _nearest(np.maximum(across[:, None], down[:, :, None]), gap_px)
    if page.cell_shape[picture, 0] == BOXES:
        pad = PADDING * float((boxes[:, 3] - boxes[:, 1]).mean())
        x, y = np.arange(scene.width_px), np.arange(scene.height_px)[:, None]
        painted = painted & (across[labels, x] <= pad) & (down[labels, y] <= pad)
    colours = page.cell_colours[picture, :glyphs].astype(np.uint8)
    scene.image = np.where(painted[:, :, None], colours[labels], scene.image)


def _beyond(spans: FloatArray, places: FloatArray) -> FloatArray:
    """How far each of ``places`` (P,) lies beyond each span (n, 2), (n, P) in px; negative within it."""
    middles = places + np.float32(0.5)
    return np.asarray(np.maximum(spans[:, :1] - middles, middles - spans[:, 1:]), np.float32)


def _nearest(beyond_px: FloatArray, gap_px: float) -> Labels:
    """The nearest of (n, ...) for each place; where two are nearly as near lies the gap."""
    labels = beyond_px.argmin(axis=0)
    if len(beyond_px) == 1 or gap_px == 0:
        return labels, np.ones(labels.shape, np.bool_)
    first, second = np.partition(beyond_px, 1, axis=0)[:2]
    return labels, second - first >= gap_px


def _columns(across: FloatArray, down: FloatArray, rows: NDArray[np.int64], gap_px: float) -> Labels:
    """Each row of the text takes a band of the canvas, and each glyph a column of its band."""
    count = int(rows.max()) + 1
    band, in_band = _nearest(np.stack([down[rows == row].min(axis=0) for row in range(count)]), gap_px)
    columns = [_nearest(across[rows == row], gap_px) for row in range(count)]
    labels = np.stack([np.flatnonzero(rows == row)[columns[row][0]] for row in range(count)])
    painted = np.stack([clear for _, clear in columns])
    return labels[band], painted[band] & in_band[:, None]


def _in_order(boxes: FloatArray, rows: NDArray[np.int64]) -> bool:
    """Whether the glyphs of each row follow each other to the right: not so on a wide arc."""
    middles, widths = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    enough = np.diff(middles) >= APART * (widths[1:] + widths[:-1]) / 2
    return bool((enough | (np.diff(rows) > 0)).all())
