"""Draw what is not a digit: letters, squiggles, half and merged digits, lines, noise, textures; 28x28.

Tested in ``tests/training/tasks/test_digits.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import LOWER, UPPER
from captcha_solver.designs.fonts import families
from captcha_solver.models.digits import GLYPH_PX
from captcha_solver.training.tasks.digit_images import Ink, centred, printed

# In some face or hand each of these is the same drawing as a digit: nothing could tell them apart, so they
# are neither trained as "not a digit" nor counted as letters that must be rejected.
TWINS = frozenset("OoQDIlijSsZzBbGgqJ")
LETTERS = "".join(c for c in UPPER + LOWER if c not in TWINS)
# Halves that are no digit themselves: half an 8 is a 3, the right half of a 4 or 9 is a 1
LEFT_HALVES, RIGHT_HALVES = (0, 2, 3, 5, 6, 8, 9), (0, 2, 5, 6)


@dataclass(frozen=True, slots=True)
class Stock:
    """What junk is made from: digits to break, (N, 28, 28) uint8, labels (N,), and faces for letters."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    faces: tuple[str, ...]

    def digit(self, rng: np.random.Generator) -> tuple[int, Ink]:
        i = int(rng.integers(len(self.images)))
        return int(self.labels[i]), self.images[i]


def letter(stock: Stock, rng: np.random.Generator) -> Ink:
    """A letter of some face, none of the digits' twins."""
    face = stock.faces[int(rng.integers(len(stock.faces)))]
    letters = [c for c in LETTERS if c in families()[face].charset]
    return printed(face, letters[int(rng.integers(len(letters)))])


def squiggle(stock: Stock, rng: np.random.Generator) -> Ink:
    """A wandering pen line with several turns, or a few of them."""
    canvas = np.zeros((64, 64), np.uint8)
    for _ in range(int(rng.integers(1, 3))):
        turns = int(rng.integers(5, 10))
        points = _smooth(rng.uniform(6, 58, (turns, 2)))
        _pen(canvas, points, int(rng.integers(2, 6)))
    return centred(canvas)


def half(stock: Stock, rng: np.random.Generator) -> Ink:
    """The left or the right part of a digit, cut where no digit is left."""
    left = bool(rng.random() < 0.5)
    allowed = LEFT_HALVES if left else RIGHT_HALVES
    digit, image = stock.digit(rng)
    while digit not in allowed:
        digit, image = stock.digit(rng)
    columns = np.flatnonzero(image.max(axis=0) > 60)
    share = rng.uniform(0.3, 0.45)
    cut = round(columns[0] + (columns[-1] - columns[0]) * (share if left else 1 - share))
    part = image.copy()
    if left:
        part[:, cut:] = 0
    else:
        part[:, :cut] = 0
    return centred(part) if rng.random() < 0.7 else part


def merged(stock: Stock, rng: np.random.Generator) -> Ink:
    """Two or three digits side by side, touching or overlapping."""
    canvas = np.zeros((GLYPH_PX, 4 * GLYPH_PX), np.uint8)
    at = 0
    for _ in range(2 if rng.random() < 0.8 else 3):
        image = stock.digit(rng)[1]
        columns = np.flatnonzero(image.max(axis=0) > 60)
        tight = image[:, columns[0] : columns[-1] + 1]
        width = tight.shape[1]
        canvas[:, at : at + width] = np.maximum(canvas[:, at : at + width], tight)
        at += max(4, width + int(rng.integers(-4, 3)))
    return centred(canvas)


def lines(stock: Stock, rng: np.random.Generator) -> Ink:
    """One line far from upright (an upright one is a 1), or several of any direction, or a grid."""
    canvas = np.zeros((64, 64), np.uint8)
    several = rng.random() < 0.6
    thickness = int(rng.integers(2, 7))
    for _ in range(int(rng.integers(3, 6)) if several else 1):
        angle = rng.uniform(0, np.pi) if several else rng.uniform(-0.6, 0.6)
        centre = rng.uniform(14, 50, 2) if several else np.array([32.0, 32.0])
        reach = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(15, 30)
        _pen(canvas, np.array([centre - reach, centre + reach]), thickness)
    return centred(canvas) if rng.random() < 0.6 else _shrink(canvas)


def noise(stock: Stock, rng: np.random.Generator) -> Ink:
    """Specks, grey noise, or blots."""
    kind = int(rng.integers(3))
    raw = rng.random((GLYPH_PX, GLYPH_PX))
    if kind == 0:
        return np.where(raw < rng.uniform(0.03, 0.5), 255, 0).astype(np.uint8)
    if kind == 1:
        return (raw * rng.uniform(80, 255)).astype(np.uint8)
    blurred = cv2.GaussianBlur(raw, (0, 0), float(rng.uniform(0.8, 2.0)))
    return np.where(blurred > np.quantile(blurred, rng.uniform(0.3, 0.8)), 255, 0).astype(np.uint8)


def texture(stock: Stock, rng: np.random.Generator) -> Ink:
    """Stripes, checks or waves over the whole square."""
    y, x = np.mgrid[:GLYPH_PX, :GLYPH_PX].astype(np.float64)
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, 9)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    wave = np.sin(2 * np.pi * u / period + rng.uniform(0, 6))
    if rng.random() < 0.5:
        wave *= np.sin(2 * np.pi * v / rng.uniform(3, 9))
    if rng.random() < 0.5:
        return np.where(wave > rng.uniform(-0.5, 0.5), 255, 0).astype(np.uint8)
    return np.asarray((wave + 1) * 127, np.uint8)


def blank(stock: Stock, rng: np.random.Generator) -> Ink:
    """Nothing, all ink, one grey, or a speck."""
    kind = int(rng.integers(3))
    canvas = np.zeros((GLYPH_PX, GLYPH_PX), np.uint8)
    if kind == 1:
        canvas[:] = rng.integers(1, 256)
    if kind == 2:
        row, column, size = (int(v) for v in rng.integers((2, 2, 1), (24, 24, 4)))
        canvas[row : row + size, column : column + size] = 255
    return canvas


def shape(stock: Stock, rng: np.random.Generator) -> Ink:
    """A filled or outlined polygon of three to six corners, or a filled ellipse."""
    canvas = np.zeros((64, 64), np.uint8)
    if rng.random() < 0.3:
        axes = (int(rng.integers(12, 28)), int(rng.integers(12, 28)))
        cv2.ellipse(canvas, (32, 32), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        return centred(canvas)
    corners = int(rng.integers(3, 5))
    turn = rng.uniform(0, 6) + np.sort(rng.uniform(0, 1, corners) * 0.4 + np.arange(corners)) * 2 * np.pi / corners
    points = np.int32(32 + 26 * np.stack([np.cos(turn), np.sin(turn)], axis=1))
    if rng.random() < 0.6:
        cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA)  # type: ignore[list-item]
    else:
        cv2.polylines(canvas, [points], True, 255, int(rng.integers(2, 6)), cv2.LINE_AA)  # type: ignore[list-item]
    return centred(canvas)


JUNK: dict[str, Callable[[Stock, np.random.Generator], Ink]] = {
    "letters": letter,
    "squiggles": squiggle,
    "half digits": half,
    "merged digits": merged,
    "lines": lines,
    "noise": noise,
    "textures": texture,
    "shapes": shape,
    "blank": blank,
}
SHARES = {
    "letters": 0.38,
    "squiggles": 0.3,
    "half digits": 0.06,
    "merged digits": 0.08,
    "lines": 0.05,
    "noise": 0.05,
    "textures": 0.03,
    "shapes": 0.03,
    "blank": 0.02,
}
FLAT = frozenset({"noise", "textures", "blank"})  # cover the square: not to be moved about


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Catmull-Rom curve through points (n, 2), 12 steps a span."""
    p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
    ]
    return np.concatenate(spans)


def _pen(canvas: NDArray[np.uint8], points: NDArray[np.float64], thickness: int) -> None:
    cv2.polylines(canvas, [np.int32(points * 16)], False, 255, thickness, cv2.LINE_AA, 4)  # type: ignore[list-item]


def _shrink(canvas: NDArray[np.uint8]) -> Ink:
    return np.asarray(cv2.resize(canvas, (GLYPH_PX, GLYPH_PX), interpolation=cv2.INTER_AREA), np.uint8)
