"""Set a text on the canvas: each glyph becomes a quadrangle of destination corners."""

from dataclasses import dataclass

import numpy as np

from captcha_solver.designs.fonts import GlyphMask, glyph_mask
from captcha_solver.designs.scene import FloatArray, GlyphShapes, Scene

RASTER_SIZES_PX = (24, 40, 64, 96)  # glyphs are cached at these sizes and scaled down from the next larger one


@dataclass(frozen=True, slots=True)
class Placed:
    """The glyphs of a text and, for each, the corners (n, 4, 2) its mask is mapped to, in canvas pixels."""

    masks: list[GlyphMask]
    corners_px: FloatArray


def raster_size(size_px: float) -> int:
    """The smallest cached size that is not smaller than ``size_px``."""
    for size in RASTER_SIZES_PX:
        if size >= size_px:
            return size
    return RASTER_SIZES_PX[-1]


def place(scene: Scene, fit_fraction: float) -> Placed:
    """Lay the glyphs out left to right; a text wider than ``fit_fraction`` of the canvas is made smaller.

    The position within the free space is random.
    """
    shapes = scene.shapes
    masks = [
        glyph_mask(face, char, raster_size(size))
        for face, char, size in zip(shapes.faces, scene.text, shapes.size_px, strict=True)
    ]
    metrics = np.array(
        [(m.pixels.shape[1], m.pixels.shape[0], m.left_bearing_px, m.top_px, m.advance_px) for m in masks],
        np.float32,
    )
    sizes = np.array([raster_size(size) for size in shapes.size_px], np.float32)
    em = metrics / sizes[:, None]  # width, height, left bearing, top, advance in font sizes
    left_em = np.zeros(len(masks), np.float32)
    for row in _rows(shapes.rows, len(masks)):
        left_em[row] = _advance(em[row], shapes, row, scene.rng)
    widest = float(np.max(left_em + em[:, 0] * shapes.size_px * shapes.stretch))
    room_px = fit_fraction * scene.width_px
    shrink = min(1.0, room_px / max(widest, 1.0))
    size_px = shapes.size_px * shrink
    return Placed(masks, _corners(scene, em, left_em * shrink, size_px))


def _rows(rows: int, n: int) -> list[slice]:
    if rows == 1:
        return [slice(0, n)]
    half = (n + 1) // 2
    return [slice(0, half), slice(half, n)]


def _advance(em: FloatArray, shapes: GlyphShapes, row: slice, rng: np.random.Generator) -> FloatArray:
    """Left edge of each glyph's ink in px, from the pen positions of one row."""
    size = shapes.size_px[row]
    bearing, advance, width = em[:, 2], em[:, 4], em[:, 0]
    if shapes.touch_fraction > 0:  # crowd: the advance is the ink's own width
        touch = rng.random(len(size)) < shapes.touch_fraction
        advance = np.where(touch, width - 0.03, advance)
        bearing = np.where(touch, 0, bearing)
    steps = (advance * shapes.stretch[row] + shapes.gap_fraction[row]) * size
    pen = np.concatenate([[0], np.cumsum(np.maximum(steps[:-1], 0.2 * size[:-1]))])
    left = pen + bearing * size * shapes.stretch[row]
    return np.asarray(left - left.min(), np.float32)


def _corners(scene: Scene, em: FloatArray, left_px: FloatArray, size_px: FloatArray) -> FloatArray:
    shapes, rng = scene.shapes, scene.rng
    width_px = em[:, 0] * size_px * shapes.stretch
    height_px = em[:, 1] * size_px
    total_px = float((left_px + width_px).max())
    free_px = scene.width_px - total_px
    start_px = free_px * (0.5 + rng.uniform(-0.45, 0.45)) if free_px > 0 else free_px / 2
    # the line of text is centred by its capitals: the ink of an "x" sits low, as in print
    tallest = max(float((em[:, 3] * size_px).max()), 1.0)
    baseline_px = scene.height_px / 2 + tallest / 2
    centre_x = start_px + left_px + width_px / 2 + shapes.shift_px[:, 0]
    centre_y = baseline_px - em[:, 3] * size_px + height_px / 2 + shapes.shift_px[:, 1]
    half = np.stack([width_px, height_px], axis=1)[:, None, :] / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    local = square[None] * half + shapes.corners_fraction * size_px[:, None, None]
    lean = np.tan(np.deg2rad(shapes.skew_deg))
    local[:, :, 0] -= local[:, :, 1] * lean[:, None]
    angle = np.deg2rad(shapes.rotation_deg)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = local[:, :, 0] * cos - local[:, :, 1] * sin + centre_x[:, None]
    y = local[:, :, 0] * sin + local[:, :, 1] * cos + centre_y[:, None]
    return np.stack([x, _within(y, scene.height_px)], axis=2).astype(np.float32)


def _within(y: FloatArray, height_px: int) -> FloatArray:
    """Rows moved so that each glyph lies on the canvas where it can."""
    top, bottom = y.min(axis=1, keepdims=True), y.max(axis=1, keepdims=True)
    fits = bottom - top <= height_px
    down = np.maximum(-top, 0) + np.minimum(height_px - bottom, 0)
    centred = height_px / 2 - (top + bottom) / 2
    return np.asarray(y + np.where(fits, down, centred), np.float32)
