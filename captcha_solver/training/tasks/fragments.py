"""Draw crops straight from fonts: whole glyphs, warped and disturbed, and junk that only looks like them.

Tested in ``tests/training/tasks/test_glyphs.py``.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.designs.fonts import BLANK, faces_for, faces_with_all, glyph_mask
from captcha_solver.segmented.lattice import normalise

Crop = NDArray[np.float32]
"""Grey picture (h, w) float32 0-1, ink = 1."""

_ALONE = 0.5  # part of the glyphs drawn without anything added


def font_crop(rng: np.random.Generator, char: str, glyph_px: int) -> Crop:
    """``char`` in a random face, (glyph_px, glyph_px): warped, reweighted, with marks and intruders."""
    picture = warp(rng, _letter(rng, char))
    if rng.random() > _ALONE:
        picture = _intrude(rng, picture) if rng.random() < 0.5 else _marked(rng, picture)
    return normalise(_trim(_coarse(rng, picture)), glyph_px)


def junk_crop(rng: np.random.Generator, symbols: Sequence[str], glyph_px: int) -> Crop:
    """No glyph, (glyph_px, glyph_px): half a glyph, two of them, a line, a squiggle, texture."""
    kinds = (_half, _half, _pair, _pair, _line, _squiggle, _texture)
    picture = kinds[int(rng.integers(len(kinds)))](rng, symbols)
    return normalise(_trim(_coarse(rng, picture)), glyph_px)


@cache
def faces_with(char: str) -> tuple[str, ...]:
    """Names of the faces that draw ``char``, the ``wide`` ones left out."""
    return () if char == BLANK else faces_with_all(faces_for(char), char)


def warp(rng: np.random.Generator, picture: Crop) -> Crop:
    """``picture`` rotated up to 30 degrees, sheared, stretched, its strokes up to 2 px thinner or thicker."""
    rotation, shear = rng.normal(0, 0.2), rng.normal(0, 0.15)
    rotation = float(np.clip(rotation, -0.55, 0.55))
    stretch = float(np.exp(rng.normal(0, 0.15)))
    cosine, sine = np.cos(rotation), np.sin(rotation)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[stretch, shear], [0.0, 1 / stretch]])
    bent = matrix + rng.normal(0, 0.03, (2, 2))
    height, width = picture.shape
    corners = bent @ np.array([[0, width, 0, width], [0, 0, height, height]], np.float64)
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = np.ceil(high - low).astype(int) + 4
    affine = np.hstack([bent, (2 - low)[:, None]])
    out = cv2.warpAffine(picture, affine, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR)
    change = int(rng.integers(-2, 3))
    if change:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
        changed = (cv2.dilate if change > 0 else cv2.erode)(out, kernel)
        out = changed if changed.sum() > 0.5 * out.sum() else out
    return np.asarray(out, np.float32)


def _letter(rng: np.random.Generator, char: str) -> Crop:
    names = faces_with(char)
    mask = glyph_mask(names[int(rng.integers(len(names)))], char, int(rng.choice((40, 52, 64))))
    return mask.pixels.astype(np.float32) / np.float32(255)


def _any_letter(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    return warp(rng, _letter(rng, symbols[int(rng.integers(len(symbols)))]))


def _intrude(rng: np.random.Generator, picture: Crop) -> Crop:
    """A sliver of another glyph at one side, as a cut through touching glyphs leaves it."""
    other = _any_letter(rng, Charset("abdefhkmnoprsuxABDEHKMNRSX0235689").symbols)
    part = other[:, : max(2, int(other.shape[1] * rng.uniform(0.08, 0.25)))]
    joined = beside(picture, part, int(rng.integers(-5, 2)))
    return joined if rng.random() < 0.5 else np.ascontiguousarray(np.fliplr(beside(np.fliplr(picture), part, 0)))


def beside(left: Crop, right: Crop, gap_px: int) -> Crop:
    """Two pictures side by side on a common middle line, ``gap_px`` apart (overlapping where negative)."""
    height = max(len(left), len(right))
    gap_px = max(gap_px, 1 - min(left.shape[1], right.shape[1]))
    start = left.shape[1] + gap_px
    out = np.zeros((height, max(start + right.shape[1], left.shape[1])), np.float32)
    top = (height - len(left)) // 2
    out[top : top + len(left), : left.shape[1]] = left
    top = (height - len(right)) // 2
    place = out[top : top + len(right), start : start + right.shape[1]]
    np.maximum(place, right, out=place)
    return out


def _marked(rng: np.random.Generator, picture: Crop) -> Crop:
    """A thin line through the glyph and a few specks on it; within its own box, as after a cut."""
    out = picture.copy()
    height, width = out.shape
    ys = rng.integers(0, height, 2)
    thickness = int(rng.integers(1, 4))
    cv2.line(out, (0, int(ys[0])), (width - 1, int(ys[1])), 1.0, thickness, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        at = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(out, at, int(rng.integers(1, 4)), 1.0, -1, cv2.LINE_AA)
    return out


def _half(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    """A glyph cut by an upright line; the part that is left has at most 60 % of its ink."""
    picture = _any_letter(rng, symbols)
    if picture.shape[1] < 16:
        return _line(rng, symbols)
    upto = np.cumsum(picture.sum(axis=0))
    cut = int(np.searchsorted(upto, upto[-1] * rng.uniform(0.2, 0.6)))
    flipped = rng.random() < 0.5
    part = np.fliplr(picture)[:, : max(3, picture.shape[1] - cut)] if flipped else picture[:, : max(3, cut)]
    return np.ascontiguousarray(part if not flipped or part.sum() <= 0.6 * picture.sum() else picture[:, : max(3, cut)])


def _pair(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    """Two glyphs, or one and a good part of another, touching or nearly so."""
    left, right = _any_letter(rng, symbols), _any_letter(rng, symbols)
    if rng.random() < 0.4:
        right = right[:, : max(4, int(right.shape[1] * rng.uniform(0.5, 0.9)))]
    joined = beside(left, right, int(rng.integers(-6, 5)))
    return joined if rng.random() < 0.5 else np.ascontiguousarray(np.fliplr(joined)[:, ::-1])


def _line(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    """A stretch of a strike line, rather flat: an upright one would be an l."""
    del symbols
    width, height = int(rng.integers(14, 60)), int(rng.integers(6, 24))
    out = np.zeros((height + 8, width), np.float32)
    ys = rng.integers(4, height + 4, 3)
    points = np.array([[0, ys[0]], [width // 2, ys[1]], [width - 1, ys[2]]], np.int32)
    cv2.polylines(out, [points], False, 1.0, int(rng.integers(1, 7)), cv2.LINE_AA)
    return out


def _squiggle(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    """A smooth random curve with several turns."""
    del symbols
    knots = rng.uniform(4, 44, (int(rng.integers(5, 9)), 2))
    at = np.linspace(0, len(knots) - 1, 40)
    curve = np.stack([np.interp(at, np.arange(len(knots)), knots[:, k]) for k in (0, 1)], axis=1)
    smooth = cv2.blur(curve, (1, 7))
    out = np.zeros((48, 48), np.float32)
    cv2.polylines(out, [smooth.astype(np.int32)], False, 1.0, int(rng.integers(1, 6)), cv2.LINE_AA)
    return out


def _texture(rng: np.random.Generator, symbols: Sequence[str]) -> Crop:
    """Smoothed noise above a level, or a few blobs."""
    del symbols
    height, width = rng.integers(12, 48, 2)
    noise = rng.random((int(height), int(width))).astype(np.float32)
    size = int(rng.integers(1, 4)) * 2 + 1
    smooth = cv2.GaussianBlur(noise, (size, size), 0)
    return np.asarray(smooth > np.quantile(smooth, rng.uniform(0.4, 0.9)), np.float32)


def _coarse(rng: np.random.Generator, picture: Crop) -> Crop:
    """Half of the time, ``picture`` as a small or soft image shows it: fewer pixels, blurred."""
    if rng.random() < 0.5:
        return picture
    factor = float(rng.uniform(0.2, 0.8))
    size = (max(4, round(picture.shape[1] * factor)), max(4, round(picture.shape[0] * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(back * rng.uniform(0.8, 1.6), 0.0, 1.0), np.float32)


def _trim(picture: Crop) -> Crop:
    """``picture`` cut to its ink."""
    rows, columns = np.flatnonzero(picture.max(axis=1) > 0.25), np.flatnonzero(picture.max(axis=0) > 0.25)
    if not len(rows):
        return picture
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
