"""Distortions of the layout: how each glyph is turned, bent, weighted, coloured and spaced."""

from dataclasses import dataclass

import numpy as np

from captcha_solver.designs.knobs import Phase, choice, setting, strength
from captcha_solver.designs.scene import Scene


@dataclass(frozen=True, slots=True)
class Layout:
    """Base of the distortions that act before anything is drawn."""

    @property
    def phase(self) -> Phase:
        return Phase.LAYOUT


@dataclass(frozen=True, slots=True)
class Rotate(Layout):
    """Turn each glyph about its centre by up to ``max_deg`` either way."""

    max_deg: float = strength(20, 0, 180)

    def apply(self, scene: Scene) -> None:
        scene.shapes.rotation_deg += scene.rng.uniform(-self.max_deg, self.max_deg, len(scene.text))


@dataclass(frozen=True, slots=True)
class RotateText(Layout):
    """Turn all glyphs by one common angle, each about its own centre."""

    max_deg: float = strength(12, 0, 90)

    def apply(self, scene: Scene) -> None:
        scene.shapes.rotation_deg += scene.rng.uniform(-self.max_deg, self.max_deg)


@dataclass(frozen=True, slots=True)
class Skew(Layout):
    """Slant each glyph; ``shared_fraction`` of the angle is common to the whole text."""

    max_deg: float = strength(15, 0, 60)
    shared_fraction: float = setting(0, 0, 1)

    def apply(self, scene: Scene) -> None:
        common = scene.rng.uniform(-1, 1)
        own = scene.rng.uniform(-1, 1, len(scene.text))
        scene.shapes.skew_deg += self.max_deg * (self.shared_fraction * common + (1 - self.shared_fraction) * own)


@dataclass(frozen=True, slots=True)
class SizeJitter(Layout):
    """Make glyphs of different sizes, each up to ``max_fraction`` larger or smaller."""

    max_fraction: float = strength(0.2, 0, 0.7)

    def apply(self, scene: Scene) -> None:
        spread = scene.rng.uniform(-self.max_fraction, self.max_fraction, len(scene.text))
        scene.shapes.size_px *= (1 + spread).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Stretch(Layout):
    """Widen or narrow the glyphs, all by one factor or each by its own."""

    max_fraction: float = strength(0.25, 0, 0.7)
    each: str = choice("together", "apart")

    def apply(self, scene: Scene) -> None:
        size = len(scene.text) if self.each == "apart" else 1
        spread = scene.rng.uniform(-self.max_fraction, self.max_fraction, size)
        scene.shapes.stretch *= (1 + spread).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bounce(Layout):
    """Move each glyph off the baseline by up to ``max_fraction`` of the canvas height."""

    max_fraction: float = strength(0.1, 0, 0.5)

    def apply(self, scene: Scene) -> None:
        limit_px = self.max_fraction * scene.height_px
        scene.shapes.shift_px[:, 1] += scene.rng.uniform(-limit_px, limit_px, len(scene.text))


@dataclass(frozen=True, slots=True)
class Spread(Layout):
    """Put extra space between glyphs, up to ``max_fraction`` of the font size."""

    max_fraction: float = strength(0.3, 0, 1.5)

    def apply(self, scene: Scene) -> None:
        scene.shapes.gap_fraction += scene.rng.uniform(0, self.max_fraction, len(scene.text))


@dataclass(frozen=True, slots=True)
class Overlap(Layout):
    """Negative kerning: pull each glyph over the one before by up to ``max_fraction`` of the font size."""

    max_fraction: float = strength(0.12, 0, 0.6)

    def apply(self, scene: Scene) -> None:
        scene.shapes.gap_fraction -= scene.rng.uniform(0.3, 1, len(scene.text)) * self.max_fraction


@dataclass(frozen=True, slots=True)
class Collapse(Layout):
    """Push glyphs together until their ink touches (crowding), each pair with ``share_probability``."""

    share_probability: float = strength(0.6, 0, 1)

    def apply(self, scene: Scene) -> None:
        scene.shapes.touch_fraction = self.share_probability


@dataclass(frozen=True, slots=True)
class CornerWarp(Layout):
    """Pull the four corners of each glyph about (a perspective of its own), in font sizes."""

    max_fraction: float = strength(0.12, 0, 0.5)

    def apply(self, scene: Scene) -> None:
        offsets = scene.rng.uniform(-self.max_fraction, self.max_fraction, (len(scene.text), 4, 2))
        scene.shapes.corners_fraction += offsets.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bend(Layout):
    """Bend each glyph along a sine of its own (amplitude in font sizes)."""

    max_fraction: float = strength(0.05, 0, 0.2)

    def apply(self, scene: Scene) -> None:
        scene.shapes.bend_fraction += scene.rng.uniform(0.3, 1, len(scene.text)) * self.max_fraction


@dataclass(frozen=True, slots=True)
class Weight(Layout):
    """Thicken or thin the strokes by up to ``max_px`` in all."""

    max_px: float = strength(1.0, 0, 6)
    direction: str = choice("either", "thicker", "thinner")

    def apply(self, scene: Scene) -> None:
        low = 0.0 if self.direction == "thicker" else -self.max_px
        high = 0.0 if self.direction == "thinner" else self.max_px
        scene.shapes.weight_px += scene.rng.uniform(low, high)


@dataclass(frozen=True, slots=True)
class Hollow(Layout):
    """Draw glyphs as outlines of ``width_px``; each glyph with ``each_probability``."""

    width_px: float = setting(1.5, 0.5, 6)
    each_probability: float = strength(1.0, 0, 1)

    def apply(self, scene: Scene) -> None:
        chosen = scene.rng.random(len(scene.text)) < self.each_probability
        scene.shapes.hollow_px[chosen] = self.width_px


@dataclass(frozen=True, slots=True)
class GlyphColours(Layout):
    """Give each glyph a colour of its own, up to ``max_levels`` from the text's in each channel."""

    max_levels: float = strength(90, 0, 255)

    def apply(self, scene: Scene) -> None:
        rng, n = scene.rng, len(scene.text)
        base = np.asarray(scene.ink, np.float32)
        colours = base + rng.uniform(-self.max_levels, self.max_levels, (n, 3))
        away = np.abs(colours - scene.background).max(axis=1, keepdims=True)
        colours = np.where(away < 50, base, colours)  # never the colour of the canvas
        scene.shapes.colours = np.clip(colours, 0, 255).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TwoLayers(Layout):
    """Set the text in two rows, the upper read first, the rows ``overlap_fraction`` of a row into each other."""

    overlap_fraction: float = strength(0.08, 0, 0.5)

    def apply(self, scene: Scene) -> None:
        if len(scene.text) < 2:
            return
        shapes = scene.shapes
        shapes.rows = 2
        row_px = scene.height_px * 0.5 * (1 + self.overlap_fraction)
        shapes.size_px = np.minimum(shapes.size_px, row_px).astype(np.float32)
        offset_px = scene.height_px / 2 - row_px / 2
        upper = np.arange(len(scene.text)) < (len(scene.text) + 1) // 2
        shapes.shift_px[:, 1] += np.where(upper, -offset_px, offset_px).astype(np.float32)
