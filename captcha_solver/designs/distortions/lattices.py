"""Distortions made of many thin lines or dots: hatching, fragments, long lines, ellipses, lattices and bars."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.distortions.marks import SHIFT, Marks, fixed
from captcha_solver.designs.drawing.scene import Colour, Scene
from captcha_solver.designs.knobs import choice, setting, strength

LINE_TYPES = {"hard": cv2.LINE_8, "smooth": cv2.LINE_AA}


@dataclass(frozen=True, slots=True)
class Strokes(Marks):
    """Base of thin lines: ``edge`` hard, of whole pixels, or smooth, with grey edges."""

    edge: str = choice("hard", "smooth")

    def strokes(self, scene: Scene, colour: Colour, points: NDArray[np.floating], width_px: float = 1) -> None:
        """Open polylines (lines, points, 2) px in one colour."""
        target, value = scene.brush(colour)
        thickness = max(1, round(width_px))
        cv2.polylines(target, list(fixed(points)), False, value, thickness, LINE_TYPES[self.edge], SHIFT)


def shared(distortion: Marks) -> bool:
    """Whether all strokes of a picture have one colour."""
    return distortion.colour in ("text", "canvas")


@dataclass(frozen=True, slots=True)
class Hatching(Strokes):
    """Parallel lines 1 px wide, ``spacing_px`` apart, over the whole canvas; ``share_fraction`` of them are drawn."""

    share_fraction: float = strength(0.9, 0, 1)
    spacing_px: float = setting(4, 2, 8)
    directions: str = choice("one", "two")

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        centre = np.array((scene.width_px, scene.height_px)) / 2
        reach = float(np.hypot(*centre))
        angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else np.pi / 4 * int(rng.integers(4))
        turn = np.pi / 2 if rng.random() < 0.7 else rng.uniform(0.6, 2.5)
        for direction in (angle, angle + turn)[: 1 if self.directions == "one" else 2]:
            offsets = np.arange(-reach + rng.uniform(0, self.spacing_px), reach, self.spacing_px)
            offsets = offsets[rng.random(len(offsets)) < self.share_fraction]
            along = np.array((np.cos(direction), np.sin(direction)))
            middles = centre + offsets[:, None] * (-along[1], along[0])
            if len(middles):
                lines = np.stack([middles - reach * along, middles + reach * along], axis=1)
                self.strokes(scene, self.pick(scene), lines)


@dataclass(frozen=True, slots=True)
class Fragments(Strokes):
    """Many short pieces of line, about ``length_px`` long, anywhere on the canvas."""

    fragment_count: float = strength(60, 0, 600)
    length_px: float = setting(10, 4, 20)
    width_px: float = setting(1, 1, 2)

    def apply(self, scene: Scene) -> None:
        rng, n = scene.rng, round(self.fragment_count)
        middles = rng.uniform(0, 1, (n, 2)) * (scene.width_px, scene.height_px)
        angles = rng.uniform(0, np.pi, n)
        halves = np.clip(self.length_px * rng.uniform(0.6, 1.4, n), 4, 20) / 2
        half = halves[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        pieces = np.stack([middles - half, middles + half], axis=1)
        step = max(n, 1) if shared(self) else 1
        for first in range(0, n, step):
            self.strokes(scene, self.pick(scene), pieces[first : first + step], self.width_px)


@dataclass(frozen=True, slots=True)
class LongLines(Strokes):
    """Thin straight lines from one edge of the canvas to the one across, each of its own colour where that varies."""

    colour: str = choice("random", "text", "canvas", "mixed")
    line_count: float = strength(6, 0, 60)
    width_px: float = setting(1, 1, 3)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        for _ in range(round(self.line_count)):
            first, second = rng.random(2).tolist()
            if rng.random() < 0.75:
                ends = np.array([[0, first * height], [width, second * height]])
            else:
                ends = np.array([[first * width, 0], [second * width, height]])
            self.strokes(scene, self.pick(scene), ends[None], self.width_px)


@dataclass(frozen=True, slots=True)
class Ellipses(Strokes):
    """Outlines of large ellipses, about ``size_fraction`` of the canvas across, turned by any angle."""

    ellipse_count: float = strength(3, 0, 20)
    size_fraction: float = setting(0.6, 0.2, 1.5)
    width_px: float = setting(1, 1, 6)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        size = np.array((scene.width_px, scene.height_px))
        for _ in range(round(self.ellipse_count)):
            centre, axes = rng.uniform(0, 1, 2) * size, self.size_fraction * rng.uniform(0.5, 1.3, 2) * size / 2
            if rng.random() < 0.3:  # a circle
                axes[:] = axes.min()
            target, value = scene.brush(self.pick(scene))
            middle, half = fixed(centre).tolist(), fixed(axes).tolist()
            turn, thickness = rng.uniform(0, 180), max(1, round(self.width_px))
            cv2.ellipse(target, middle, half, turn, 0, 360, value, thickness, LINE_TYPES[self.edge], SHIFT)


@dataclass(frozen=True, slots=True)
class LatticeLines(Marks):
    """Square dots of ``size_px`` every ``pitch_px`` in rows and columns; ``share_fraction`` of them are drawn."""

    share_fraction: float = strength(0.9, 0, 1)
    pitch_px: float = setting(4, 2, 16)
    size_px: float = setting(1, 1, 4)
    rows: str = choice("straight", "staggered")

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        pitch = max(2, round(self.pitch_px))
        size = min(pitch - 1, max(1, round(self.size_px)))
        first_x, first_y = rng.integers(0, pitch, 2).tolist()
        seeds = np.zeros((height + pitch, width + pitch), np.uint8)
        seeds[first_y::pitch, first_x::pitch] = 1
        if self.rows == "staggered":
            seeds[first_y :: 2 * pitch] = np.roll(seeds[first_y :: 2 * pitch], pitch // 2, axis=1)
        seeds[rng.random(seeds.shape) >= self.share_fraction] = 0
        dots = cv2.dilate(seeds, np.ones((size, size), np.uint8))[pitch:, pitch:] > 0
        target, value = scene.brush(self.pick(scene))
        target[dots] = value if target.ndim == 3 else value[0]


@dataclass(frozen=True, slots=True)
class Bars(Marks):
    """Bars about ``width_px`` thick outside the text: along the edges, or across the canvas above and below it."""

    bar_count: float = strength(2, 0, 12)
    width_px: float = setting(3, 1, 20)
    place: str = choice("edges", "across")

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        left, top, right, bottom = scene.text_box
        rooms = [max(0, top), max(0, height - bottom)]  # px above, below, and at either side of the text
        if self.place == "edges":
            rooms += [max(0, left), max(0, width - right)]
        free = [side for side, room in enumerate(rooms) if room > 0]
        for _ in range(round(self.bar_count) if free else 0):
            side = free[int(rng.integers(len(free)))]
            thick = min(rooms[side], max(1, round(self.width_px * rng.uniform(0.5, 1.5))))
            from_edge = 0 if self.place == "edges" else int(rng.integers(rooms[side] - thick + 1))
            size = height if side < 2 else width
            start = from_edge if side in (0, 2) else size - from_edge - thick
            target, value = scene.brush(self.pick(scene))
            band = np.s_[start : start + thick] if side < 2 else np.s_[:, start : start + thick]
            target[band] = value if target.ndim == 3 else value[0]
