"""Lay a picture with transparency, (H, W, 4) uint8, over a colour from which all of its inks stand out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Rgb

Rgba = NDArray[np.uint8]  # (H, W, 4)
Colour = NDArray[np.float64]  # (3,) 0-255

WHITE, BLACK = np.full(3, 255.0), np.zeros(3)
VISIBLE_ALPHA = 16  # 0-255: fainter pixels do not decide what lies behind
SOLID_ALPHA = 128  # 0-255: from here on a pixel hides what lies behind
LEAST_SHARE = 0.015  # of the pixels at the rim of what is visible: a rarer colour is a blend of others, or a speck
INNER_SHARE = 0.1  # of the solid pixels: so much of colours that never touch transparency is a drawing on a card
TOUCH_PX = 2  # a colour this near to transparency touches it
LEVELS = 32  # width of a bin of colours
CLEAR = 79.0  # 0-255: inks this far from white are seen on it
CANDIDATES = np.array(  # white first: it is what most pages are; then black, the greys and the corners of the cube
    [WHITE, BLACK]
    + [np.full(3, float(grey)) for grey in range(32, 255, 16)]
    + [np.array(corner, float) for corner in np.ndindex(2, 2, 2)][1:-1],
)
CANDIDATES[-6:] *= 255
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)
COLOUR_WEIGHT = 0.25  # what a difference of colour counts beside the same of lightness


def flattened(rgba: Rgba) -> Rgb:
    """The picture (H, W, 4), opaque: (H, W, 3) uint8."""
    return over(rgba, backdrop(rgba))


def over(rgba: Rgba, colour: Colour) -> Rgb:
    """The picture (..., 4) laid over one colour (3,): (..., 3) uint8."""
    alpha = rgba[..., 3:].astype(np.uint32)
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    mixed = rgba[..., :3] * alpha + np.round(colour).astype(np.uint32) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def backdrop(rgba: Rgba) -> Colour:
    """The colour (3,) 0-255 to lay the picture (H, W, 4) over.

    White where every ink is seen on it, else black, else the grey or pure colour that is farthest from the nearest
    ink. What touches transparency is ink; a drawing on a card of its own is laid over the card's colour.
    """
    visible, solid = rgba[..., 3] >= VISIBLE_ALPHA, rgba[..., 3] >= SOLID_ALPHA
    if not visible.any():
        return WHITE
    reach = np.ones((2 * TOUCH_PX + 1, 2 * TOUCH_PX + 1), np.uint8)
    touching = visible & (cv2.dilate((~visible).astype(np.uint8), reach) > 0)
    if not touching.any():  # half-transparent all over
        touching = visible
    rim, weights = _colours(rgba[touching])
    if solid.any() and _inner_share(rgba, solid, touching) >= INNER_SHARE and len(rim):
        return np.asarray(rim[weights.argmax()])
    common = weights >= LEAST_SHARE * weights.sum()
    inks = rim[common] if weights[common].sum() > weights.sum() / 2 else rim  # of very many colours none is common
    seen = np.array([_apart(inks, candidate).min() for candidate in CANDIDATES])
    for first in (0, 1):
        if seen[first] >= CLEAR:
            return np.asarray(CANDIDATES[first])
    return np.asarray(CANDIDATES[int(seen.argmax())])


def _colours(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The colours of ``pixels`` (n, 4), like ones put together: (k, 3), and how much of each there is, (k,)."""
    bins = (pixels[:, :3] // LEVELS).astype(np.int64) @ np.array([64, 8, 1])
    kinds, index = np.unique(bins, return_inverse=True)
    alpha = pixels[:, 3].astype(float)
    weights = np.bincount(index, alpha, len(kinds)).astype(float)
    sums = [np.bincount(index, alpha * pixels[:, channel], len(kinds)) for channel in range(3)]
    return np.stack(sums, axis=1) / weights[:, None], weights


def _inner_share(rgba: Rgba, solid: NDArray[np.bool_], touching: NDArray[np.bool_]) -> float:
    """Share of the solid pixels whose colour lies hardly anywhere near transparency."""
    bins = (rgba[..., :3] // LEVELS).astype(np.int64) @ np.array([64, 8, 1])
    counts = np.bincount(bins[solid], minlength=512)
    near = np.bincount(bins[solid & touching], minlength=512)
    return float(counts[near < 0.02 * counts].sum() / counts.sum())


def _apart(inks: NDArray[np.float64], colour: Colour) -> NDArray[np.float64]:
    """How far each of ``inks`` (k, 3) is from a colour: in lightness, or, for less, in any channel."""
    difference = np.abs(inks - colour)
    return np.asarray(np.maximum(np.abs((inks - colour) @ LUMA), COLOUR_WEIGHT * difference.max(axis=1)))
