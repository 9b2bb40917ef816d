"""Distortions made of many thin lines or dots: hatching, fragments, long lines, ellipses, lattices and bars."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.distort_marks import SHIFT, Marks, fixed
from captcha_solver.designs.knobs import choice, setting, strength
from captcha_solver.designs.scene import Colour, Scene

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
