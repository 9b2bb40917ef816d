"""Distortions of the text layer alone: dotted and broken strokes, bites, shadows, relief, a wave of the text.

Tested in ``tests/designs/distortions/test_kinds.py``.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from captcha_solver.designs.distortions.marks import curve
from captcha_solver.designs.drawing.scene import Coverage, Scene, blend, near
from captcha_solver.designs.knobs import Phase, SceneDistortion, choice, setting, strength


@dataclass(frozen=True, slots=True)
class Text(SceneDistortion):
    """Base of the distortions that act on the drawn glyphs before they meet the canvas."""

    @property
    def phase(self) -> Phase:
        return Phase.TEXT


@dataclass(frozen=True, slots=True)
class Dotted(Text):
    """Break the strokes into dots ``pitch_px`` apart, ``size_fraction`` of the pitch across."""

    share_probability: float = strength(1.0, 0, 1)
    pitch_px: float = setting(3, 2, 12)
    size_fraction: float = setting(0.75, 0.3, 1)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        if rng.random() > self.share_probability:
            return
        columns, rows = scene.grid()
        jitter = rng.uniform(-0.3, 0.3, scene.mask.shape).astype(np.float32) * self.pitch_px
        cell_x = np.mod(columns + rows * 0.5 + jitter, self.pitch_px) / self.pitch_px - 0.5
        cell_y = np.mod(rows + jitter, self.pitch_px) / self.pitch_px - 0.5
        dots = (cell_x**2 + cell_y**2) < (self.size_fraction / 2) ** 2
        scene.mask = scene.mask * dots.astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Bites(Text):
    """Take round bites or straight cuts of ``width_px`` out of the strokes (broken glyphs)."""

    bite_count: float = strength(8, 0, 120)
    width_px: float = setting(2, 1, 12)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        left, top, right, bottom = scene.text_box
        for _ in range(round(self.bite_count)):
            x, y = int(rng.uniform(left, right + 1)), int(rng.uniform(top, bottom + 1))
            radius = max(1, round(self.width_px * rng.uniform(0.4, 1.0) / 2 + 0.5))
            cv2.circle(scene.mask, (x, y), radius, 0, -1)


@dataclass(frozen=True, slots=True)
class Cuts(Text):
    """Rub straight lines of ``width_px`` out of the text (lines in the colour of the canvas)."""

    cut_count: float = strength(2, 0, 12)
    width_px: float = setting(1.5, 1, 6)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        left, top, right, bottom = scene.text_box
        for _ in range(round(self.cut_count)):
            across, down = rng.uniform(left, right, 2).astype(int), rng.uniform(top, bottom, 2).astype(int)
            start, end = (int(across[0]), int(down[0])), (int(across[1]), int(down[1]))
            cv2.line(scene.mask, start, end, 0, max(1, round(self.width_px)), cv2.LINE_AA)


@dataclass(frozen=True, slots=True)
class Strikes(Text):
    """Strike each glyph through with about ``strike_count`` lines of its own, at any angle, in its ink or in any.

    A line is about ``reach_fraction`` of its glyph's longer side long. ``width_px`` 0 means the glyphs' stroke width.
    """

    strike_count: float = strength(1.5, 0, 5)
    reach_fraction: float = setting(1.1, 0.3, 2)
    width_px: float = setting(1.5, 0, 8)
    colour: str = choice("own", "random")

    def apply(self, scene: Scene) -> None:
        rng, width_px = scene.rng, self.width_px or scene.stroke_px
        for index, (left, top, right, bottom) in enumerate(scene.glyph_boxes):
            middle, side = np.array([left + right, top + bottom]) / 2, max(right - left, bottom - top)
            lines = np.zeros_like(scene.mask)
            for _ in range(int(self.strike_count + rng.random())):
                half = side * self.reach_fraction * rng.uniform(0.6, 1.2) / 2
                angle, aside = rng.uniform(0, np.pi), rng.uniform(-0.25, 0.25, 2) * side
                along = half * np.array([np.cos(angle), np.sin(angle)])
                curve(lines, (255,), np.stack([middle + aside - along, middle + aside + along]), width_px)
            self._lay(scene, index, lines)

    def _lay(self, scene: Scene, index: int, lines: Coverage) -> None:
        scene.mask = np.asarray(cv2.max(scene.mask, lines), np.uint8)
        if self.colour == "random":
            red, green, blue = scene.rng.integers(0, 256, 3).tolist()
            scene.colour_text(lines, (red, green, blue))
        elif scene.glyph_colours is not None:
            scene.colour_text(lines, scene.glyph_colours[index])


@dataclass(frozen=True, slots=True)
class Shadow(Text):
    """A copy of the text in another tone, ``offset_px`` away, under it."""

    contrast_levels: float = strength(60, 0, 255)
    offset_px: float = setting(2, 0.5, 10)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        offset = rng.choice([-1.0, 1.0], 2) * self.offset_px * rng.uniform(0.6, 1.2, 2)
        move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        size = (scene.width_px, scene.height_px)
        shifted = np.asarray(cv2.warpAffine(scene.mask, move, size), np.uint8)
        sign = rng.choice([-1.0, 1.0], 3) if rng.random() < 0.3 else np.full(3, rng.choice([-1.0, 1.0]))
        scene.image = blend(scene.image, near(scene.background, sign * self.contrast_levels), shifted)


RIM = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True, slots=True)
class Relief(Text):
    """Letters as if cut from a board: the face is left empty; its rim and a side ``depth_px`` deep are drawn."""

    depth_px: float = strength(2.5, 0, 10)

    def apply(self, scene: Scene) -> None:
        rng, face = scene.rng, scene.mask
        across, down = rng.choice([-1.0, 1.0], 2) * rng.uniform(0.3, 1.0, 2)
        deep = range(1, round(self.depth_px) + 1)
        for shift in (*RIM, *((round(across * step), round(down * step)) for step in deep)):
            _spread_text(scene, shift)
        scene.mask = np.asarray(cv2.subtract(scene.mask, face), np.uint8)


def _spread_text(scene: Scene, shift_px: tuple[int, int]) -> None:
    """Add a copy of the text layer, moved by ``shift_px``, under what is there; colours go along."""
    move = np.array([[1, 0, shift_px[0]], [0, 1, shift_px[1]]], np.float32)
    size = (scene.width_px, scene.height_px)
    moved = np.asarray(cv2.warpAffine(scene.mask, move, size, flags=cv2.INTER_NEAREST), np.uint8)
    if scene.inks is not None:
        inks = cv2.warpAffine(scene.inks, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(inks, cv2.compare(moved, scene.mask, cv2.CMP_GT), scene.inks)
    scene.mask = np.asarray(cv2.max(scene.mask, moved), np.uint8)


@dataclass(frozen=True, slots=True)
class Fill(Text):
    """Colour the text by a gradient or stripes instead of one tone."""

    contrast_levels: float = strength(70, 0, 255)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        columns, rows = scene.grid()
        angle, period = rng.uniform(0, np.pi), rng.uniform(8, scene.width_px)
        phase = (columns * np.cos(angle) + rows * np.sin(angle)) * np.float32(6.28 / period)
        levels = np.sin(phase)[:, :, None] * (rng.uniform(-1, 1, 3) * self.contrast_levels).astype(np.float32)
        base = np.asarray(scene.ink, np.float32) if scene.inks is None else scene.inks
        scene.inks = np.clip(base + levels, 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Hair(Text):
    """Fray the edges of the strokes with fine hairs of ``length_px``."""

    share_fraction: float = strength(0.35, 0, 1)
    length_px: float = setting(4, 1, 12)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        reach = max(2, round(self.length_px))
        edge = cv2.morphologyEx(scene.mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        seeds = np.where(rng.random(edge.shape) < self.share_fraction * 0.5, edge, 0).astype(np.uint8)
        angle = rng.uniform(-0.6, 0.6) + (np.pi / 2 if rng.random() < 0.4 else 0)
        hairs = cv2.dilate(seeds, _streak(reach, angle))
        scene.mask = np.asarray(cv2.max(scene.mask, hairs), np.uint8)


def _streak(length_px: int, angle: float) -> Coverage:
    kernel = np.zeros((length_px, length_px), np.uint8)
    middle = (length_px - 1) / 2
    dx, dy = np.cos(angle) * middle, np.sin(angle) * middle
    start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
    cv2.line(kernel, start, end, 1, 1)
    return kernel


@dataclass(frozen=True, slots=True)
class TextWave(Text):
    """Bend the line of text along a sine of ``amplitude_fraction`` of the canvas height."""

    amplitude_fraction: float = strength(0.06, 0, 0.35)
    periods_count: float = setting(1.5, 0.2, 8)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        columns, rows = scene.grid()
        periods = self.periods_count * rng.uniform(0.6, 1.4)
        phase = np.float32(rng.uniform(0, 6.28)) + columns * np.float32(6.28 * periods / scene.width_px)
        map_y = rows + np.float32(self.amplitude_fraction * scene.height_px) * np.sin(phase)
        map_x = np.broadcast_to(columns, map_y.shape).astype(np.float32)
        scene.warp_text(map_x, map_y.astype(np.float32))
