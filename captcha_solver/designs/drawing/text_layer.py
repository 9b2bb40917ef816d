"""Draw placed glyphs into text layers: coverage, colours and ownership, a picture at a time.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.cells import paint_cells
from captcha_solver.designs.drawing.even_odd import crossing, lay_crossing, reach_px
from captcha_solver.designs.drawing.layout import Placed, homographies
from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.drawing.scene import INKED, Coverage, Scene, solid

LOOK_UP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
CELL_FULL = 85  # of 255, a cell's mean coverage: a stroke thinner than a cell should not vanish
MARGIN_PX = 3  # room round a glyph for a heavier stroke or an outline


def draw_texts(page: Page, placed: Placed, *, owners: bool) -> Iterator[Scene]:
    """One ``Scene`` a picture, its mask (and ``inks``, ``owners``) filled with the glyphs."""
    margin_px = MARGIN_PX + reach_px(page)
    tight = np.concatenate([placed.corners_px.min(axis=2), placed.corners_px.max(axis=2)], axis=2)
    lows, highs = np.floor(tight[:, :, :2]) - margin_px, np.ceil(tight[:, :, 2:]) + margin_px + 1
    canvas = np.concatenate([page.width_px, page.height_px], axis=1)[:, None]
    lows, highs = np.clip(lows, 0, canvas), np.clip(highs, 0, canvas)
    matrices, affine = homographies(placed, lows)
    boxes = np.concatenate([lows, highs], axis=2).astype(int).tolist()
    changes = np.abs(page.bend_fraction) + np.abs(page.weight_px) + page.hollow_px + page.bitmap_rows
    shaped = (changes.max(axis=1) > 0).tolist()
    even_odd = page.even_odd[:, 0].tolist()
    opacities = np.where(page.even_odd, 1, page.opacity)[:, 0].tolist()
    for row, text in enumerate(page.texts):
        glyphs, opacity = boxes[row][: len(text)], opacities[row]
        scene = _empty_scene(page, row, glyphs, owners=owners)
        if opacity < 1:
            scene.mask[:] = 255  # turned over while translucent glyphs are laid
        if page.cell_shape[row, 0]:
            paint_cells(scene, page, row, tight[row, : len(text)])
        for index, (left, top, right, bottom) in enumerate(glyphs):
            if right <= left or bottom <= top:
                continue
            mask = placed.masks[row][index].pixels
            glyph = _warped(mask, matrices[row, index], (right - left, bottom - top), bool(affine[row, index]))
            if shaped[row]:
                glyph = _shaped(page, (row, index), glyph)
            if even_odd[row]:
                middle = placed.corners_px[row, index].mean(axis=0) - (left, top)
                lay_crossing(scene, index, crossing(page, (row, index), glyph, middle), np.s_[top:bottom, left:right])
            else:
                _lay(scene, index, glyph, np.s_[top:bottom, left:right], opacity)
        if opacity < 1:
            scene.mask = np.asarray(cv2.bitwise_not(scene.mask), np.uint8)
        yield scene


def _empty_scene(page: Page, row: int, glyphs: Sequence[Sequence[int]], *, owners: bool) -> Scene:
    """The scene of a picture before its glyphs are laid. ``glyphs``: left, top, right, bottom of each, in px."""
    height, width = int(page.height_px[row, 0]), int(page.width_px[row, 0])
    text, ink = page.texts[row], tuple(page.ink[row].astype(int).tolist())
    lefts, tops, rights, bottoms = zip(*glyphs, strict=True)
    coloured = bool(page.coloured[row])
    colours = page.colours[row, : len(text)].astype(int).tolist()
    return Scene(
        rng=page.rng,
        width_px=width,
        height_px=height,
        text=text,
        faces=page.faces[row],
        background=tuple(page.background[row].astype(int).tolist()),
        ink=ink,
        mask=np.zeros((height, width), np.uint8),
        inks=solid((height, width), ink) if coloured else None,
        glyph_colours=[tuple(colour) for colour in colours] if coloured else None,
        owners=np.zeros((height, width), np.uint8) if owners else None,
        text_box=(min(lefts), min(tops), max(rights), max(bottoms)),
        glyph_boxes=tuple(zip(lefts, tops, rights, bottoms, strict=True)),
    )


def _warped(mask: Coverage, matrix: NDArray[Any], size: tuple[int, int], affine: bool) -> Coverage:
    if affine:
        return np.asarray(cv2.warpAffine(mask, matrix[:2], size, flags=LOOK_UP), np.uint8)
    return np.asarray(cv2.warpPerspective(mask, matrix, size, flags=LOOK_UP), np.uint8)


def _shaped(page: Page, place: tuple[int, int], glyph: Coverage) -> Coverage:
    """One glyph with its own bend, cells, weight and outline applied."""
    bend = float(page.bend_fraction[place])
    if bend > 0:
        glyph = _bent(glyph, bend * float(page.size_px[place]), page.rng)
    rows = float(page.bitmap_rows[place[0], 0])
    if rows > 0:
        glyph = _cells(glyph, float(page.size_px[place]) / rows, float(page.uneven_fraction[place[0], 0]), page.rng)
    weight = float(page.weight_px[place])
    if abs(weight) >= 0.25:
        glyph = reweighted(glyph, weight)
    hollow = float(page.hollow_px[place])
    if hollow > 0:
        inner = reweighted(glyph, -0.4 * hollow) if hollow > 1.5 else glyph
        glyph = np.asarray(cv2.subtract(reweighted(glyph, hollow), inner), np.uint8)
    return glyph


def _bent(glyph: Coverage, amplitude_px: float, rng: np.random.Generator) -> Coverage:
    height, width = glyph.shape
    phase_x, phase_y, waves_x, waves_y = (rng.random(4) * (6.28, 6.28, 1, 1)).tolist()
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    shift_x = amplitude_px * np.sin(phase_x + rows * np.float32(6.28 * (0.5 + waves_x) / height))
    shift_y = amplitude_px * np.sin(phase_y + columns * np.float32(6.28 * (0.5 + waves_y) / width))
    map_x, map_y = (columns + shift_x).astype(np.float32), (rows + shift_y).astype(np.float32)
    return np.asarray(cv2.remap(glyph, map_x, map_y, cv2.INTER_LINEAR), np.uint8)


def _cells(glyph: Coverage, cell_px: float, uneven: float, rng: np.random.Generator) -> Coverage:
    """The glyph in cells, each full or empty, their rows of one height or not; as it is where a cell is a pixel."""
    height, width = glyph.shape
    size = max(1, round(width / cell_px)), max(1, round(height / cell_px))
    if cell_px < 1.3:
        return glyph
    small = cv2.threshold(cv2.resize(glyph, size, interpolation=cv2.INTER_AREA), CELL_FULL, 255, cv2.THRESH_BINARY)[1]
    if uneven > 0:  # the glyph is as high as before: what some rows gain, others lose
        heights = 1 + uneven * (rng.random(size[1]) - 0.5) * 1.9
        middles = (np.arange(4 * size[1]) + 0.5) / (4 * size[1]) * heights.sum()
        small = small[np.searchsorted(np.cumsum(heights), middles).clip(0, size[1] - 1)]
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


@cache
def _disc(size: int) -> Coverage:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def reweighted(glyph: Coverage, weight_px: float) -> Coverage:
    """Strokes ``weight_px`` thicker (> 0) or thinner (< 0) in all; fractions mix the two nearest whole widths."""
    whole = int(abs(weight_px))
    part = abs(weight_px) - whole
    change = cv2.dilate if weight_px > 0 else cv2.erode
    if whole > 0:
        glyph = np.asarray(change(glyph, _disc(whole + 1)), np.uint8)
    if part > 0.1:
        glyph = np.asarray(cv2.addWeighted(glyph, 1 - part, change(glyph, _disc(2)), part, 0), np.uint8)
    return glyph


def _lay(scene: Scene, index: int, glyph: Coverage, place: tuple[slice, slice], opacity: float) -> None:
    if scene.inks is not None and scene.glyph_colours is not None:
        scene.inks[place][glyph > INKED] = scene.glyph_colours[index]
    if scene.owners is not None:
        scene.owners[place][glyph > 80] = index + 1
    region = scene.mask[place]
    if opacity < 1:  # here the mask is what is still free, and the glyph takes its share of that
        cv2.multiply(region, cv2.convertScaleAbs(glyph, alpha=-opacity, beta=255), scale=1 / 255, dst=region)
    else:
        cv2.max(region, glyph, dst=region)
