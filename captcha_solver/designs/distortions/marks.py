"""Distortions drawn over the text: strike lines, arcs, curves, dots, blocks, strokes that invert.

Tested in ``tests/designs/distortions/test_kinds.py``.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.scene import Colour, Coverage, Scene, blend, solid
from captcha_solver.designs.knobs import Phase, SceneDistortion, choice, setting, strength

ALONG = np.linspace(0, 1, 28)  # where a curve is sampled, from its start to its end
BOW = np.stack([1 - ALONG, ALONG, 4 * ALONG * (1 - ALONG)], axis=1)  # start, end and rise -> points of a parabola
SHIFT = 3  # sub-pixel bits of OpenCV's line drawing


@dataclass(frozen=True, slots=True)
class Marks(SceneDistortion):
    """Base of what is drawn over, or under, the text. Colour: the text's, any, or the canvas's own."""

    layer: str = choice("over", "under")
    colour: str = choice("text", "random", "canvas", "mixed")

    @property
    def phase(self) -> Phase:
        return Phase.MARKS if self.layer == "over" else Phase.BACKGROUND

    def pick(self, scene: Scene) -> Colour:
        rng, kind = scene.rng, self.colour
        if kind == "mixed":
            kind = ("text", "random", "random", "canvas")[int(rng.integers(4))]
        if kind == "text":
            if scene.glyph_colours is not None and rng.random() < 0.8:
                return scene.glyph_colours[int(rng.integers(len(scene.text)))]
            return scene.ink
        if kind == "canvas":
            return scene.background
        red, green, blue = rng.integers(0, 256, 3).tolist()
        return red, green, blue


def fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Points (n, 2) in px as OpenCV's fixed-point coordinates."""
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def curve(image: NDArray[np.uint8], colour: tuple[int, ...], points: NDArray[np.floating], width_px: float) -> None:
    """An antialiased polyline through ``points`` (n, 2) px."""
    cv2.polylines(image, [fixed(points)], False, colour, max(1, round(width_px)), cv2.LINE_AA, SHIFT)


@dataclass(frozen=True, slots=True)
class Lines(Marks):
    """Straight strike lines across the canvas, ``width_px`` thick."""

    line_count: float = strength(3, 0, 40)
    width_px: float = setting(1.5, 1, 12)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        for _ in range(round(self.line_count)):
            full = rng.random() < 0.6
            x1, x2 = (rng.uniform(0, 0.3), rng.uniform(0.7, 1)) if full else rng.uniform(0, 1, 2)
            ends = np.array([[x1 * width, rng.uniform(0, height)], [x2 * width, rng.uniform(0, height)]])
            curve(*scene.brush(self.pick(scene)), ends, self.width_px * rng.uniform(0.7, 1.3))


@dataclass(frozen=True, slots=True)
class Arcs(Marks):
    """Arcs of ellipses; ``width_px`` 0 means the glyphs' own stroke width."""

    arc_count: float = strength(1, 0, 20)
    width_px: float = setting(0, 0, 12)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        for _ in range(round(self.arc_count)):
            x1, x2, y1, y2, rise = rng.random(5).tolist()
            ends = [[0.25 * x1 * width, y1 * height], [(1 - 0.25 * x2) * width, y2 * height]]
            points = BOW @ np.array([*ends, [0, (1.2 * rise - 0.6) * height]])
            curve(*scene.brush(self.pick(scene)), points, self.width_px or scene.stroke_px)


@dataclass(frozen=True, slots=True)
class Curves(Marks):
    """Waving curves through the text; ``width_px`` 0 means the glyphs' own stroke width."""

    curve_count: float = strength(1, 0, 20)
    width_px: float = setting(0, 0, 12)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        for _ in range(round(self.curve_count)):
            start, end = rng.uniform(-0.05, 0.3), rng.uniform(0.7, 1.05)
            t = ALONG
            level = height * (rng.uniform(0.2, 0.8) + (t - 0.5) * rng.uniform(-0.5, 0.5))
            swing = height * rng.uniform(0.05, 0.35) * np.sin(6.28 * (rng.uniform(0.4, 2.5) * t + rng.random()))
            points = np.stack([(start + (end - start) * t) * width, level + swing], axis=1)
            curve(*scene.brush(self.pick(scene)), points, self.width_px or scene.stroke_px)


@dataclass(frozen=True, slots=True)
class Zigzags(Marks):
    """Broken strike lines: ``corner_count`` corners about one end of the text, then on to its other end.

    ``width_px`` 0 means the glyphs' own stroke width.
    """

    zigzag_count: float = strength(1, 0, 12)
    corner_count: float = setting(3, 1, 12)
    width_px: float = setting(0, 0, 12)

    def apply(self, scene: Scene) -> None:
        rng, height = scene.rng, scene.height_px
        left, _, right, _ = scene.text_box
        for _ in range(round(self.zigzag_count)):
            n, reach = round(self.corner_count), (right - left) * rng.uniform(0.05, 0.25)
            near, far = (left, right) if rng.random() < 0.7 else (right, left)
            outward = np.sign(near - far)
            x = np.append(near + outward * reach * rng.uniform(-0.5, 1.0, n), [far + outward * -reach * rng.random()])
            y = np.append(rng.uniform(0.05, 0.95, n), [rng.uniform(0.1, 0.9)]) * height
            if rng.random() < 0.5:  # one more corner on the way
                x = np.insert(x, n, rng.uniform(left, right))
                y = np.insert(y, n, rng.uniform(0.1, 0.9) * height)
            curve(*scene.brush(self.pick(scene)), np.stack([x, y], axis=1), self.width_px or scene.stroke_px)


@dataclass(frozen=True, slots=True)
class DottedCurves(Marks):
    """Curves made of separate dots, ``pitch_px`` apart."""

    curve_count: float = strength(1, 0, 12)
    pitch_px: float = setting(4, 2, 20)
    radius_px: float = setting(1.5, 0.5, 6)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        for _ in range(round(self.curve_count)):
            t = np.arange(0, width, max(2.0, self.pitch_px)) / width
            swing = 0.3 * np.sin(6.28 * (rng.uniform(0.4, 2) * t + rng.random()))
            y = height * (rng.uniform(0.3, 0.7) + rng.uniform(0.2, 1) * swing) + rng.uniform(-1.5, 1.5, len(t))
            target, colour = scene.brush(self.pick(scene))
            for point in fixed(np.stack([t * width, y], axis=1)):
                radius = round(self.radius_px * rng.uniform(0.6, 1.3) * (1 << SHIFT))
                cv2.circle(target, point.tolist(), radius, colour, -1, cv2.LINE_AA, SHIFT)


@dataclass(frozen=True, slots=True)
class Dots(Marks):
    """Round dots of up to ``radius_px``."""

    dot_count: float = strength(25, 0, 2000)
    radius_px: float = setting(1.5, 0.5, 12)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        n = round(self.dot_count)
        centres = fixed(rng.uniform(0, 1, (n, 2)) * (scene.width_px, scene.height_px)).tolist()
        radii = np.round(self.radius_px * rng.uniform(0.5, 1.0, n) * (1 << SHIFT)).astype(int).tolist()
        target, colour = scene.brush(self.pick(scene))
        for centre, radius in zip(centres, radii, strict=True):
            if self.colour in ("random", "mixed"):
                target, colour = scene.brush(self.pick(scene))
            cv2.circle(target, centre, radius, colour, -1, cv2.LINE_AA, SHIFT)


@cache
def _stamp(size: int) -> Coverage:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size + 1, size)), np.uint8)


@dataclass(frozen=True, slots=True)
class Specks(Marks):
    """Short strokes ``size_px`` across, all stamped in one pass (the dots of many small generators)."""

    speck_count: float = strength(30, 0, 2000)
    size_px: float = setting(3, 1, 9)

    def apply(self, scene: Scene) -> None:
        rng, size = scene.rng, max(1, round(self.size_px))
        n = round(self.speck_count)
        seeds = np.zeros((scene.height_px, scene.width_px), np.uint8)
        seeds.reshape(-1)[(rng.random(n) * seeds.size).astype(np.intp)] = 255
        mask = cv2.dilate(seeds, _stamp(size)) if size > 1 else seeds
        picked = self.pick(scene)
        target, _ = scene.brush(picked)
        if target.ndim == 2:
            cv2.max(target, mask, dst=target)
        else:
            cv2.copyTo(solid((scene.height_px, scene.width_px), picked), mask, target)


@dataclass(frozen=True, slots=True)
class Occlude(Marks):
    """Cover parts of the text with ``block_count`` blocks of about ``size_px``."""

    block_count: float = strength(3, 0, 60)
    size_px: float = setting(7, 1, 40)

    def apply(self, scene: Scene) -> None:
        rng = scene.rng
        left, top, right, bottom = scene.text_box if self.layer == "over" else (0, 0, scene.width_px, scene.height_px)
        for _ in range(round(self.block_count)):
            x, y = rng.uniform(left, right), rng.uniform(top, bottom)
            half = self.size_px * rng.uniform(0.3, 0.7, 2)
            corners = np.array([[x - half[0], y - half[1]], [x + half[0], y + half[1]]])
            first, second = np.round(corners).astype(int).tolist()
            target, colour = scene.brush(self.pick(scene))
            cv2.rectangle(target, first, second, colour, -1)


def _invert(scene: Scene, mask: Coverage) -> None:
    scene.image = blend(scene.image, np.asarray(255 - scene.image), mask)


@dataclass(frozen=True, slots=True)
class InvertLines(Marks):
    """Strokes of ``width_px`` that turn what they cross into its negative."""

    line_count: float = strength(2, 0, 20)
    width_px: float = setting(3, 1, 20)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        mask = np.zeros((height, width), np.uint8)
        for _ in range(round(self.line_count)):
            t = ALONG
            y = height * (rng.random() + (rng.random() - 0.5) * t + 0.1 * np.sin(6.28 * (t + rng.random())))
            curve(mask, (255,), np.stack([t * width, y], axis=1), self.width_px)
        _invert(scene, mask)


@dataclass(frozen=True, slots=True)
class InvertBlocks(Marks):
    """Rectangles or discs inside which the picture is its own negative."""

    block_count: float = strength(2, 0, 20)
    size_fraction: float = setting(0.5, 0.1, 1)

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        mask = np.zeros((height, width), np.uint8)
        for _ in range(round(self.block_count)):
            half = int(height * self.size_fraction * rng.uniform(0.5, 1.2) / 2)
            x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
            if rng.random() < 0.5:
                cv2.circle(mask, (x, y), half, 255, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(mask, (x - half, y - half), (x + half, y + half), 255, -1)
        _invert(scene, mask)


@dataclass(frozen=True, slots=True)
class InvertArc(SceneDistortion):
    """Arcs right across the picture, ``width_fraction`` of its height thick, inside which it is its own negative."""

    arc_count: float = strength(1, 0, 6)
    width_fraction: float = setting(0.25, 0.03, 0.6)

    @property
    def phase(self) -> Phase:
        return Phase.MARKS

    def apply(self, scene: Scene) -> None:
        rng, width, height = scene.rng, scene.width_px, scene.height_px
        mask = np.zeros((height, width), np.uint8)
        for _ in range(round(self.arc_count)):
            rise, tilt = rng.choice([-1, 1]) * rng.uniform(0.2, 0.6) * height, rng.uniform(-0.3, 0.3) * height
            level = rng.uniform(0.25, 0.75) * height - rise  # its middle is on the canvas
            points = BOW @ np.array([[-0.05 * width, level - tilt], [1.05 * width, level + tilt], [0, rise]])
            curve(mask, (255,), points, self.width_fraction * height * rng.uniform(0.7, 1.3))
        _invert(scene, mask)
