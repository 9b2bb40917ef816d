"""Set texts on their canvases: each glyph of each picture becomes a quadrangle of destination corners.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.drawing.scene import FloatArray
from captcha_solver.designs.fonts import LARGEST_PX, GlyphMask, glyph_mask

RASTER_SIZES_PX = (
    24,
    40,
    64,
    96,
)  # glyphs are cached at these sizes and scaled down from the next larger one
SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)


@dataclass(frozen=True, slots=True)
class Placed:
    """For each picture its glyph masks, their sizes (N, L, 2), width first, and the corners (N, L, 4, 2), in canvas px,
    that each is mapped to.
    """

    masks: list[list[GlyphMask]]
    mask_px: FloatArray
    corners_px: FloatArray


def place(page: Page, fit_fraction: float) -> Placed:
    """Lay the glyphs out left to right; a text wider than ``fit_fraction`` of its canvas is made smaller.

    The position within the free space is random.
    """
    masks, mask_px, em = _measured(page)
    left = _left_edges(page, em)
    right = left + em[:, :, 0] * page.stretch * page.size_px
    widest = np.where(page.valid, right, 0).max(axis=1, keepdims=True)
    shrink = np.minimum(1.0, fit_fraction * page.width_px / np.maximum(widest, 1))
    page.size_px *= shrink.astype(np.float32)
    if page.crisp.any():
        _upright(page)
    corners = _corners(page, em, left * shrink, widest * shrink)
    if page.crisp.any():
        _at_real_size(page, masks, mask_px, corners)
    return Placed(masks, mask_px, corners)


def _upright(page: Page) -> None:
    """Crisp glyphs are neither turned nor pulled: that would give them grey edges."""
    for turned in (page.rotation_deg, page.skew_deg, page.arc_deg):
        turned[:] = np.where(page.crisp, 0, turned)
    page.corners_fraction[page.crisp[:, 0]] = 0


def _at_real_size(page: Page, masks: list[list[GlyphMask]], mask_px: FloatArray, corners: FloatArray) -> None:
    """Give crisp pictures masks of their own size, each pixel of a mask on one of the canvas."""
    for row in np.flatnonzero(page.crisp[:, 0]).tolist():
        sizes = np.clip(np.round(page.size_px[row]), 6, LARGEST_PX).astype(int).tolist()
        pairs = zip(page.faces[row], page.texts[row], sizes, strict=False)
        masks[row] = [glyph_mask(face, char, size, True) for face, char, size in pairs]
        n = len(masks[row])
        mask_px[row, :n] = [m.pixels.shape[::-1] for m in masks[row]]
        top_left = np.round(corners[row, :n, 0])
        corners[row, :n] = top_left[:, None] + (SQUARE + 0.5) * mask_px[row, :n, None]


def _measured(page: Page) -> tuple[list[list[GlyphMask]], FloatArray, FloatArray]:
    """The masks, their sizes (N, L, 2), and (N, L, 5) width, height, left bearing, top and advance in font sizes."""
    sizes = np.asarray(RASTER_SIZES_PX)
    chosen = sizes[np.minimum(np.searchsorted(sizes, page.size_px), len(sizes) - 1)]
    em = np.zeros((*page.shape, 5), np.float32)
    masks = []
    for row, (text, faces, raster) in enumerate(zip(page.texts, page.faces, chosen.tolist(), strict=True)):
        line = [glyph_mask(face, char, size) for face, char, size in zip(faces, text, raster, strict=False)]
        em[row, : len(line)] = [(*m.pixels.shape[::-1], m.left_bearing_px, m.top_px, m.advance_px) for m in line]
        masks.append(line)
    return masks, em[:, :, :2].copy(), (em / chosen[:, :, None]).astype(np.float32)


def _left_edges(page: Page, em: FloatArray) -> FloatArray:
    """Left edge of each glyph's ink in px, (N, L), from the pen positions of its row."""
    bearing, advance = em[:, :, 2], em[:, :, 4]
    if page.step_fraction.any():
        even, step = page.step_fraction > 0, page.step_fraction / page.stretch
        advance = np.where(even, step, advance)
        bearing = np.where(even, np.where(page.in_step_middle, (step - em[:, :, 0]) / 2, 0), bearing)
    if page.touch_fraction.any():  # crowd: the advance is the ink's own width
        touch = page.uniform(0, 1) < page.touch_fraction
        advance = np.where(touch, em[:, :, 0] - 0.03, advance)
        bearing = np.where(touch, 0, bearing)
    steps = np.maximum((advance * page.stretch + page.gap_fraction) * page.size_px, 0.2 * page.size_px)
    pen = np.zeros_like(steps)
    pen[:, 1:] = np.cumsum(steps[:, :-1], axis=1)
    if (page.rows > 1).any():  # each row starts at the left again
        begins = np.diff(page.row_of_glyph(), axis=1, prepend=0) > 0
        pen -= np.maximum.accumulate(np.where(begins, pen, 0), axis=1)
        pen += page.indent_fraction * page.size_px
    left = pen + bearing * page.size_px * page.stretch
    if page.centred.any():
        left = left + np.where(page.centred, _to_middle(page, left, em), 0)
    first = np.where(page.valid, left, np.inf).min(axis=1, keepdims=True)
    return np.asarray(left - first, np.float32)


def _to_middle(page: Page, left: FloatArray, em: FloatArray) -> FloatArray:
    """How far right of ``left`` each glyph stands, (N, L) in px, where the middles of rows lie below each other."""
    right = left + em[:, :, 0] * page.stretch * page.size_px
    row_of_glyph, move = page.row_of_glyph(), np.zeros_like(left)
    for row in range(int(page.rows.max())):
        inside = page.valid & (row_of_glyph == row)
        first = np.where(inside, left, 1e6).min(axis=1, keepdims=True)
        last = np.where(inside, right, -1e6).max(axis=1, keepdims=True)
        move = np.where(inside, -(first + last) / 2, move)
    return move


def _corners(page: Page, em: FloatArray, left_px: FloatArray, total_px: FloatArray) -> FloatArray:
    box = em[:, :, :2] * page.size_px[:, :, None]
    box[:, :, 0] *= page.stretch
    free_px = page.width_px - total_px
    start_px = np.where(free_px > 0, free_px * page.uniform_each(0.05, 0.95), free_px / 2)
    # the line of text is centred by its tallest glyph above the baseline: an "x" sits low, as in print
    ascent = em[:, :, 3] * page.size_px
    baseline_px = np.asarray(
        page.height_px / 2 + np.where(page.valid, ascent, 0).max(axis=1, keepdims=True) / 2, np.float32
    )
    centre = np.empty_like(box)
    centre[:, :, 0] = start_px + left_px + box[:, :, 0] / 2
    centre[:, :, 1] = baseline_px - ascent + box[:, :, 1] / 2
    centre += page.shift_px
    rotation_deg = page.rotation_deg
    if page.arc_deg.any():
        middle_px = np.asarray(start_px + total_px / 2, np.float32)
        rotation_deg = np.add(rotation_deg, _onto_arc(page, centre, baseline_px, middle_px, total_px), dtype=np.float32)
    reach_px = np.minimum(page.size_px[:, :, None], 1.5 * box)  # a narrow glyph must not fold over
    local = SQUARE * box[:, :, None] + page.corners_fraction * reach_px[:, :, None]
    local[..., 0] -= local[..., 1] * np.tan(np.deg2rad(page.skew_deg))[:, :, None]
    angle = np.deg2rad(rotation_deg)[:, :, None]
    cos, sin = np.cos(angle), np.sin(angle)
    corners: FloatArray = np.empty_like(local)
    corners[..., 0] = local[..., 0] * cos - local[..., 1] * sin + centre[:, :, None, 0]
    corners[..., 1] = _within(local[..., 0] * sin + local[..., 1] * cos + centre[:, :, None, 1], page.height_px)
    if page.clip_fraction.any():
        corners += _beyond_edge(page, corners)[:, None, None]
    return corners


def _onto_arc(
    page: Page, centre: FloatArray, baseline_px: FloatArray, middle_px: FloatArray, total_px: FloatArray
) -> FloatArray:
    """Move ``centre`` (N, L, 2) onto the pictures' arcs; how far that turns each glyph, (N, L) in degrees."""
    tallest_px = np.where(page.valid, page.size_px, 0).max(axis=1, keepdims=True)
    free_px = np.maximum(page.height_px - tallest_px, 0)
    most = 8 * free_px / np.maximum(total_px, 1)  # an arc is at most length * angle / 8 high
    roomy = total_px / np.maximum(tallest_px, 1)  # inside a bowl the tops of glyphs come together: not too far
    span = np.clip(np.deg2rad(page.arc_deg), -np.minimum(most, roomy / 3), np.minimum(most, roomy))
    on = np.abs(span) > 1e-3
    radius_px = total_px / np.where(on, span, 1)  # signed: a bowl's centre lies above
    turn = (centre[:, :, 0] - middle_px) / radius_px
    reach_px = radius_px - (centre[:, :, 1] - baseline_px)
    x, y = middle_px + reach_px * np.sin(turn), -reach_px * np.cos(turn)
    low = np.where(page.valid, y, np.inf).min(axis=1, keepdims=True)
    high = np.where(page.valid, y, -np.inf).max(axis=1, keepdims=True)
    y += page.height_px / 2 - (low + high) / 2
    centre[:, :, 0] = np.where(on, x, centre[:, :, 0])
    centre[:, :, 1] = np.where(on, y, centre[:, :, 1])
    return np.asarray(np.where(on, np.rad2deg(turn), 0), np.float32)


def _beyond_edge(page: Page, corners: FloatArray) -> FloatArray:
    """The move (N, 2) after which the glyph that an edge cuts most loses that edge's share of its size."""
    low, high = corners.min(axis=2), corners.max(axis=2)
    valid, share = page.valid[:, :, None], page.clip_fraction[:, None]
    size_px = np.concatenate([page.width_px, page.height_px], axis=1)
    first = np.where(valid, low + share[:, :, :2] * (high - low), np.inf).min(axis=1)
    last = np.where(valid, high - share[:, :, 2:] * (high - low), -np.inf).max(axis=1)
    move = np.where(page.clip_fraction[:, :2] > 0, -first, 0)
    return np.asarray(np.where(page.clip_fraction[:, 2:] > 0, size_px - last, move), np.float32)


def _within(y: FloatArray, height_px: FloatArray) -> FloatArray:
    """Rows (N, L, 4) moved so that each glyph lies on its canvas where it can."""
    top, bottom = y.min(axis=2), y.max(axis=2)
    down = np.maximum(-top, 0) + np.minimum(height_px - bottom, 0)
    move = np.where(bottom - top <= height_px, down, height_px / 2 - (top + bottom) / 2)
    return np.asarray(y + move[:, :, None], np.float32)


def homographies(placed: Placed, origins: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Matrices (N, L, 3, 3) from canvas coordinates less ``origins`` (N, L, 2) to mask pixels, and which are affine.

    The projective map of a square to a quadrangle in closed form: Heckbert 1989, "Fundamentals of Texture Mapping
    and Image Warping", section 2.2.3; then its inverse, which is what a warp looks pixels up with.
    """
    p0, p1, p2, p3 = np.moveaxis(placed.corners_px - origins[:, :, None], 2, 0)
    d1, d2, total = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    bottom = d1[..., 0] * d2[..., 1] - d2[..., 0] * d1[..., 1]
    bottom = np.where(np.abs(bottom) < 1e-6, 1e-6, bottom)
    g = (total[..., 0] * d2[..., 1] - d2[..., 0] * total[..., 1]) / bottom
    h = (d1[..., 0] * total[..., 1] - total[..., 0] * d1[..., 1]) / bottom
    columns = np.zeros((3, *g.shape, 3))
    columns[0, ..., :2], columns[0, ..., 2] = p1 - p0 + g[..., None] * p1, g
    columns[1, ..., :2], columns[1, ..., 2] = p3 - p0 + h[..., None] * p3, h
    columns[2, ..., :2], columns[2, ..., 2] = p0, 1
    inverse = np.cross(columns[[1, 2, 0]], columns[[2, 0, 1]])  # its rows, times the determinant
    determinant = (columns[0] * inverse[0]).sum(axis=-1)
    inverse /= np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)[..., None]
    inverse[:2] *= np.moveaxis(placed.mask_px, 2, 0)[..., None]
    return np.moveaxis(inverse, 0, 2), np.abs(total).max(axis=-1) < 1e-3
