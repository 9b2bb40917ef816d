"""Distortions of the canvas under the text: gradients, textures, tiles, grids, ghosts.

Tested in ``tests/designs/distortions/test_kinds.py``.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.scene import Scene, blend, near
from captcha_solver.designs.fonts import find_face, glyph_mask
from captcha_solver.designs.knobs import Phase, SceneDistortion, choice, setting, strength


@dataclass(frozen=True, slots=True)
class Background(SceneDistortion):
    """Base of the distortions that paint the canvas before the text is laid on it."""

    @property
    def phase(self) -> Phase:
        return Phase.BACKGROUND


def add_levels(scene: Scene, levels: NDArray[Any]) -> None:
    """Add signed grey levels, (H, W) or (H, W, 3), to the canvas, clipped to 0-255."""
    if levels.ndim == 2:
        levels = levels[:, :, None]
    scene.image = np.clip(scene.image + levels, 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Gradient(Background):
    """Shade the canvas from one colour to another, in a random direction."""

    contrast_levels: float = strength(60, 0, 200)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        angle = rng.uniform(0, 2 * np.pi)
        columns, rows = scene.grid()
        along = (columns / scene.width_px - 0.5) * np.cos(angle) + (rows / scene.height_px - 0.5) * np.sin(angle)
        tint = rng.uniform(-1, 1, 3) if rng.random() < 0.6 else np.full(3, rng.choice([-1.0, 1.0]))
        add_levels(scene, (along[:, :, None] * (self.contrast_levels * tint).astype(np.float32)))


@dataclass(frozen=True, slots=True)
class Texture(Background):
    """Cloudy noise whose grain is ``grain_px`` wide."""

    contrast_levels: float = strength(40, 0, 160)
    grain_px: float = setting(4, 1, 60)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        grain = max(1.0, self.grain_px * rng.uniform(0.6, 1.6))
        shape = (int(scene.height_px / grain) + 2, int(scene.width_px / grain) + 2)
        channels = 3 if rng.random() < 0.5 else 1
        coarse = rng.uniform(-1, 1, (*shape, channels)).astype(np.float32) * self.contrast_levels
        size = (scene.width_px, scene.height_px)
        add_levels(scene, cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))


@dataclass(frozen=True, slots=True)
class Tiles(Background):
    """Cut the canvas into coloured tiles of about ``tile_px``."""

    contrast_levels: float = strength(50, 0, 200)
    tile_px: float = setting(16, 3, 100)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        tile = max(2.0, self.tile_px * rng.uniform(0.6, 1.6))
        shape = (int(scene.height_px / tile) + 1, int(scene.width_px / tile) + 1)
        colours = rng.uniform(-1, 1, (*shape, 3)).astype(np.float32) * self.contrast_levels
        size = (scene.width_px, scene.height_px)
        add_levels(scene, cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST))


@dataclass(frozen=True, slots=True)
class Grid(Background):
    """Straight or slanted ruled lines every ``spacing_px``, one or two directions."""

    contrast_levels: float = strength(70, 0, 220)
    spacing_px: float = setting(9, 3, 80)
    width_px: float = setting(1, 1, 5)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        spacing = max(3.0, self.spacing_px * rng.uniform(0.6, 1.6))
        columns, rows = scene.grid()
        angle = rng.uniform(0, np.pi) if rng.random() < 0.4 else 0.0
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        lines = np.mod(along + rng.uniform(0, spacing), spacing) < self.width_px
        if rng.random() < 0.7:
            lines = lines | (np.mod(across + rng.uniform(0, spacing), spacing) < self.width_px)
        tint = rng.uniform(-1, 1, 3) if rng.random() < 0.5 else np.full(3, rng.choice([-1.0, 1.0]))
        add_levels(scene, lines[:, :, None] * (self.contrast_levels * tint).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Ghosts(Background):
    """Faint decoy glyphs behind the text, ``ghost_count`` of them, ``contrast_levels`` from the canvas."""

    ghost_count: float = strength(6, 0, 60)
    contrast_levels: float = setting(35, 1, 150)
    size_fraction: float = setting(0.4, 0.1, 1.2)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        mask = np.zeros((scene.height_px, scene.width_px), np.uint8)
        for _ in range(round(self.ghost_count)):
            face = scene.faces[int(rng.integers(len(scene.faces)))]
            char = scene.text[int(rng.integers(len(scene.text)))] if rng.random() < 0.2 else str(rng.integers(10))
            if find_face(face).lacks(char):  # a face without the digit
                char = scene.text[0]
            size = max(8, int(scene.height_px * self.size_fraction * rng.uniform(0.5, 1.3)) // 8 * 8)
            ghost = glyph_mask(face, char, size).pixels
            turn = cv2.getRotationMatrix2D((ghost.shape[1] / 2, ghost.shape[0] / 2), rng.uniform(-60, 60), 1.0)
            offset = rng.uniform(-0.2, 1.0, 2) * (scene.width_px, scene.height_px)
            turn = turn + np.array([[0, 0, offset[0]], [0, 0, offset[1]]])
            layer = cv2.warpAffine(ghost, turn, (scene.width_px, scene.height_px))
            cv2.max(mask, layer, dst=mask)
        sign = rng.choice([-1.0, 1.0], 3) if rng.random() < 0.5 else np.full(3, rng.choice([-1.0, 1.0]))
        scene.image = blend(scene.image, near(scene.background, sign * self.contrast_levels), mask)


@dataclass(frozen=True, slots=True)
class Frame(Background):
    """A border of ``width_px`` round the canvas, or rules above and below."""

    contrast_levels: float = strength(120, 0, 255)
    width_px: float = setting(1, 1, 6)
    sides: str = choice("all", "horizontal")

    def apply(self, scene: Scene) -> None:
        sign = 1.0 if sum(scene.background) < 384 else -1.0
        colour = near(scene.background, np.full(3, sign * self.contrast_levels))
        edge = round(self.width_px)
        image = scene.image
        image[:edge] = image[-edge:] = colour
        if self.sides == "all":
            image[:, :edge] = image[:, -edge:] = colour
