"""Digits to train on: MNIST's, printed ones and drawn ones, each varied as people and printers vary them.

Tested in ``tests/training/tasks/test_digits.py``.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.dataset import read_folder
from captcha_solver.designs.fonts import common_families, glyph_mask
from captcha_solver.errors import DatasetError
from captcha_solver.image import read_image
from captcha_solver.models.digits import GLYPH_PX, SYMBOLS
from captcha_solver.segmented.lattice import normalise

Ink = NDArray[np.uint8]
"""(28, 28) uint8, 255 = ink."""

COARSE = 5  # points a side of the grid that is bent
FONT_PX = 40
# faces whose digits are outlines, blocks or blots that even people doubt at 20 pixels
UNFIT = frozenset(
    {
        "black-ops-one",
        "creepster",
        "fascinate",
        "londrina-outline",
        "londrina-shadow",
        "rampart-one",
        "stardos-stencil",
        "train-one",
    }
)

# pen strokes in a unit square, x right and y down
STROKES: dict[str, tuple[int, tuple[tuple[tuple[float, float], ...], ...]]] = {
    "open 4": (4, (((0.28, 0.0), (0.05, 0.62), (0.95, 0.62)), ((0.72, 0.05), (0.7, 1.0)))),
    "boxy open 4": (4, (((0.1, 0.0), (0.1, 0.55), (0.9, 0.55)), ((0.85, 0.0), (0.85, 1.0)))),
    "closed 4": (4, (((0.72, 1.0), (0.72, 0.0), (0.05, 0.66), (0.98, 0.66)),)),
    "plain 7": (7, (((0.02, 0.0), (0.95, 0.0), (0.35, 1.0)),)),
    "barred 7": (7, (((0.02, 0.02), (0.95, 0.0), (0.38, 1.0)), ((0.3, 0.5), (0.92, 0.48)))),
    "hooked barred 7": (
        7,
        (((0.02, 0.18), (0.05, 0.0), (0.95, 0.0), (0.4, 1.0)), ((0.3, 0.52), (0.95, 0.5))),
    ),
}


@dataclass(frozen=True, slots=True)
class Digits:
    """Labelled digits: ``images`` (N, 28, 28) uint8, 255 = ink; ``labels`` (N,) int32, the digit itself."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]

    def part(self, start: int, stop: int | None = None) -> "Digits":
        return Digits(self.images[start:stop], self.labels[start:stop])

    def of(self, digit: int) -> NDArray[np.uint8]:
        """The images of one digit."""
        images: NDArray[np.uint8] = self.images[self.labels == digit]
        return images


def read_digits(folder: Path) -> Digits:
    """A folder of 28x28 images, bright ink on black, each labelled with one digit."""
    samples = read_folder(folder)
    images = np.zeros((len(samples), GLYPH_PX, GLYPH_PX), np.uint8)
    for i, sample in enumerate(samples):
        pixels = read_image(sample.image)
        if pixels.shape[:2] != (GLYPH_PX, GLYPH_PX) or len(sample.text) != 1 or sample.text not in SYMBOLS:
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise DatasetError(
                f"{folder / sample.id}: expected a 28x28 image of one digit, received {size} labelled {sample.text!r}"
            )
        images[i] = pixels[..., 0]
    return Digits(images, np.array([int(s.text) for s in samples], np.int32))


def digit_faces() -> list[str]:
    """Faces that print clear digits, sorted by name."""
    fit = (f for f in common_families().values() if f.kind != "pixel" and f.family not in UNFIT)
    return sorted(f.name for f in fit if set(SYMBOLS) <= set(f.charset))


def printed(face: str, char: str) -> Ink:
    """One character of a face, scaled and centred like MNIST's."""
    return centred(glyph_mask(face, char, FONT_PX).pixels)


def centred(mask: NDArray[np.uint8]) -> Ink:
    """A mask (h, w) uint8 trimmed, its longer side scaled to 20 pixels, its centre of mass in the middle."""
    rows, columns = np.flatnonzero(mask.max(axis=1) > 40), np.flatnonzero(mask.max(axis=0) > 40)
    if not len(rows) or not len(columns):
        return np.zeros((GLYPH_PX, GLYPH_PX), np.uint8)
    tight = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    crop = normalise(np.asarray(tight / 255, np.float32), GLYPH_PX)
    return np.asarray(np.clip(crop * 255, 0, 255), np.uint8)


def penned(style: str, rng: np.random.Generator) -> tuple[int, Ink]:
    """A digit drawn with a pen in one of ``STROKES``' styles: the digit and its image."""
    digit, strokes = STROKES[style]
    aspect = rng.uniform(0.5, 0.85)
    canvas = np.zeros((64, 64), np.uint8)
    thickness = int(rng.integers(2, 8))
    for stroke in strokes:
        points = np.array(stroke) * (44 * aspect, 44) + (12, 10) + rng.normal(0, 1.3, (len(stroke), 2))
        cv2.polylines(canvas, [np.int32(points * 16)], False, 255, thickness, cv2.LINE_AA, 4)  # type: ignore[list-item]
    return digit, centred(canvas)


def bar_seven(seven: Ink, rng: np.random.Generator) -> Ink:
    """A 7 with a short bar across the middle of its stem."""
    rows = np.flatnonzero(seven.max(axis=1) > 100)
    if not len(rows):
        return seven
    row = round(rows[0] + (rows[-1] - rows[0]) * rng.uniform(0.45, 0.62))
    columns = np.flatnonzero(seven[row] > 100)
    if not len(columns):
        return seven
    middle, half, slope = columns.mean(), rng.uniform(3.0, 5.5), rng.uniform(-1.5, 1.0)
    return _line(seven, (middle - half, row - slope / 2), (middle + half, row + slope / 2), int(rng.integers(1, 3)))


def is_open_four(four: Ink) -> bool:
    """Whether a 4 has two arms apart at the top and no enclosed hole."""
    return _arms(four) is not None and not has_hole(four)


def has_hole(ink: Ink) -> bool:
    """Whether ink encloses background."""
    padded = np.pad((ink > 100).astype(np.uint8), 1)
    number, _ = cv2.connectedComponents(1 - padded, connectivity=4)
    return number > 2


def _arms(four: Ink) -> tuple[int, int] | None:
    """Columns of a 4's left and right arm a fifth below its top; ``None`` where there are not two."""
    rows = np.flatnonzero(four.max(axis=1) > 100)
    if len(rows) < 8:
        return None
    line = four[rows[0] + (rows[-1] - rows[0]) // 4] > 100
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(np.int8), [0]))))
    runs = edges.reshape(-1, 2)
    if len(runs) != 2 or runs[1, 0] - runs[0, 1] < 3:
        return None
    return int(runs[0].mean()), int(runs[1].mean())


def _line(ink: Ink, start: tuple[float, float], stop: tuple[float, float], thickness: int) -> Ink:
    """``ink`` with a line drawn; points are (x, y)."""
    drawn = ink.copy()
    ends = [(round(x * 16), round(y * 16)) for x, y in (start, stop)]
    cv2.line(drawn, ends[0], ends[1], 255, thickness, cv2.LINE_AA, 4)
    return np.maximum(drawn, ink)


def vary(images: NDArray[np.uint8], rng: np.random.Generator, *, strength: float = 1.0) -> NDArray[np.uint8]:
    """(N, 28, 28) uint8 -> the same, each one turned, scaled, sheared, shifted, bent, made bolder or lighter.

    At strength 1: rotation ±15 degrees, size 0.55-1.45, shear ±0.25, bends of 1-2 pixels (elastic
    distortions as of Simard, Steinkraus and Platt, 2003).
    """
    maps = _maps(len(images), rng, strength)
    out = np.empty_like(images)
    weights = rng.normal(0, 0.45 * strength, len(images))
    contrast = rng.uniform(1 - 0.35 * strength, 1.0, len(images))
    for i, image in enumerate(images):
        moved = cv2.remap(image, maps[0][i], maps[1][i], cv2.INTER_LINEAR)
        out[i] = _ink_weight(moved, float(weights[i])) if abs(weights[i]) > 0.25 else moved
    rough = rng.random(len(images)) < 0.1 * strength
    out[rough] = np.where(out[rough] > 110, 255, 0)
    return (out * contrast[:, None, None]).astype(np.uint8)


def _maps(n: int, rng: np.random.Generator, strength: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Source x and y, each (N, 28, 28) float32, of every output pixel."""
    angle = np.deg2rad(rng.uniform(-15, 15, n) * strength)
    size = np.exp(rng.uniform(np.log(0.55), np.log(1.45), n) * strength)
    aspect = np.exp(rng.normal(0, 0.08, n) * strength)
    shear = rng.uniform(-0.25, 0.25, n) * strength
    slack = np.maximum(1.5, (GLYPH_PX - 20 * size) * 0.35) * strength
    shift = rng.uniform(-1, 1, (2, n)) * slack
    centre = (GLYPH_PX - 1) / 2
    grid = np.arange(GLYPH_PX) - centre
    x = grid[None, None, :] - shift[0][:, None, None]
    y = grid[None, :, None] - shift[1][:, None, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    turned_x, turned_y = cos * x + sin * y, cos * y - sin * x
    scale_x, scale_y = (size * aspect)[:, None, None], (size / aspect)[:, None, None]
    bent = _bends(n, rng) * (rng.uniform(0, 1.5, n) * strength)[None, :, None, None]
    source_x = turned_x / scale_x + shear[:, None, None] * turned_y + centre + bent[0]
    source_y = turned_y / scale_y + centre + bent[1]
    return source_x.astype(np.float32), source_y.astype(np.float32)


def _bends(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth fields (2, N, 28, 28) of unit size: noise on a coarse grid, interpolated linearly and eased."""
    at = np.linspace(0, COARSE - 1, GLYPH_PX)
    low = np.minimum(at.astype(int), COARSE - 2)
    part = at - low
    eased = part * part * (3 - 2 * part)
    weights = np.zeros((GLYPH_PX, COARSE))
    weights[np.arange(GLYPH_PX), low] = 1 - eased
    weights[np.arange(GLYPH_PX), low + 1] = eased
    field: NDArray[np.float64] = weights @ rng.normal(0, 1, (2, n, COARSE, COARSE)) @ weights.T
    return field


def _ink_weight(image: Ink, weight: float) -> NDArray[np.uint8]:
    """Bolder (weight above 0) or lighter strokes, blended with the image as it was."""
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    changed = cv2.dilate(image, kernel) if weight > 0 else cv2.erode(image, kernel)
    share = min(abs(weight), 1.0) if weight > 0 else min(abs(weight), 0.7)
    return np.asarray(cv2.addWeighted(changed, share, image, 1 - share, 0), np.uint8)
