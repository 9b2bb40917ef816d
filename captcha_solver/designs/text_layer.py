"""Draw the placed glyphs into the scene's text layer: coverage, colours and ownership."""

import cv2
import numpy as np

from captcha_solver.designs.layout import Placed
from captcha_solver.designs.scene import FloatArray, Mask, Scene, solid

KERNELS = {size: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (2, 3, 4, 5, 7, 9, 11)}


def draw_text(scene: Scene, placed: Placed) -> None:
    """Fill ``scene.mask`` (and ``inks``, ``owners``) with the glyphs; note stroke width and text box."""
    height, width = scene.height_px, scene.width_px
    scene.mask = np.zeros((height, width), np.uint8)
    if scene.shapes.colours is not None:
        scene.inks = solid((height, width), scene.ink)
    lows = np.floor(placed.corners_px.min(axis=1)).astype(int) - 3
    highs = np.ceil(placed.corners_px.max(axis=1)).astype(int) + 4
    for index in range(len(scene.text)):
        left, top = max(int(lows[index, 0]), 0), max(int(lows[index, 1]), 0)
        right, bottom = min(int(highs[index, 0]), width), min(int(highs[index, 1]), height)
        if right <= left or bottom <= top:
            continue
        corners = placed.corners_px[index] - np.array((left, top), np.float32)
        glyph = _warped(placed.masks[index].pixels, corners, (right - left, bottom - top))
        _lay(scene, index, _shaped(scene, index, glyph), (left, top, right, bottom))
    scene.text_box = (
        max(int(lows[:, 0].min()), 0),
        max(int(lows[:, 1].min()), 0),
        min(int(highs[:, 0].max()), width),
        min(int(highs[:, 1].max()), height),
    )
    scene.stroke_px = stroke_width(scene.mask)


def _warped(mask: Mask, corners: FloatArray, size: tuple[int, int]) -> Mask:
    height, width = mask.shape
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    return cv2.warpPerspective(mask, matrix, size, flags=cv2.INTER_LINEAR)


def _shaped(scene: Scene, index: int, glyph: Mask) -> Mask:
    """One glyph with its own bend, weight and outline applied."""
    shapes = scene.shapes
    if shapes.bend_fraction[index] > 0:
        glyph = _bent(glyph, float(shapes.bend_fraction[index] * shapes.size_px[index]), scene.rng)
    weight = float(shapes.weight_px[index])
    if abs(weight) >= 0.25:
        glyph = reweighted(glyph, weight)
    hollow = float(shapes.hollow_px[index])
    if hollow > 0:
        outer = reweighted(glyph, hollow)
        inner = reweighted(glyph, -0.4 * hollow) if hollow > 1.5 else glyph
        glyph = cv2.subtract(outer, inner)
    return glyph


def _bent(glyph: Mask, amplitude_px: float, rng: np.random.Generator) -> Mask:
    height, width = glyph.shape
    phase_x, phase_y, waves_x, waves_y = rng.uniform(0, 1, 4) * (6.28, 6.28, 1, 1)
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    shift_x = amplitude_px * np.sin(phase_x + rows * np.float32(6.28 * (0.5 + waves_x) / max(height, 1)))
    shift_y = amplitude_px * np.sin(phase_y + columns * np.float32(6.28 * (0.5 + waves_y) / max(width, 1)))
    map_x = np.broadcast_to(columns + shift_x, glyph.shape).astype(np.float32)
    map_y = np.broadcast_to(rows + shift_y, glyph.shape).astype(np.float32)
    return cv2.remap(glyph, map_x, map_y, cv2.INTER_LINEAR)


def reweighted(glyph: Mask, weight_px: float) -> Mask:
    """Strokes ``weight_px`` thicker (> 0) or thinner (< 0) in all; fractions mix the two nearest whole widths."""
    whole = int(abs(weight_px))
    part = abs(weight_px) - whole
    change = cv2.dilate if weight_px > 0 else cv2.erode
    if whole > 0:
        glyph = change(glyph, KERNELS.get(whole + 1, KERNELS[11]))
    if part > 0.1:
        glyph = cv2.addWeighted(glyph, 1 - part, change(glyph, KERNELS[2]), part, 0)
    return glyph


def _lay(scene: Scene, index: int, glyph: Mask, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    place = np.s_[top:bottom, left:right]
    if scene.inks is not None and scene.shapes.colours is not None:
        scene.inks[place][glyph > 40] = scene.shapes.colours[index].astype(np.uint8)
    if scene.owners is not None:
        scene.owners[place][glyph > 80] = index + 1
    region = scene.mask[place]
    cv2.max(region, glyph, dst=region)


def stroke_width(mask: Mask) -> float:
    """Mean stroke width in px of what is drawn: twice the area over the length of its edge."""
    solid = cv2.threshold(mask, 127, 255, cv2.THRESH_BINARY)[1]
    area = cv2.countNonZero(solid)
    if area == 0:
        return 2.0
    edge = area - cv2.countNonZero(cv2.erode(solid, KERNELS[3]))
    return float(np.clip(2.0 * area / max(edge, 1), 1.0, 20.0))
