"""The picture while it is drawn: glyph parameters first, then a text layer, then the image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Rgb

FloatArray = NDArray[np.float32]
Mask = NDArray[np.uint8]


@dataclass(slots=True)
class GlyphShapes:
    """What the layout phase may change, one entry a glyph (n glyphs; arrays float32)."""

    faces: list[str]
    size_px: FloatArray  # (n,) em size
    rotation_deg: FloatArray  # (n,)
    skew_deg: FloatArray  # (n,) slant, positive leans right
    stretch: FloatArray  # (n,) horizontal scale, 1 = as designed
    shift_px: FloatArray  # (n, 2) x and y offset after layout
    corners_fraction: FloatArray  # (n, 4, 2) offset of each corner, in em
    gap_fraction: FloatArray  # (n,) extra space after the glyph, in em; negative overlaps
    weight_px: FloatArray  # (n,) stroke made thicker (> 0) or thinner (< 0)
    hollow_px: FloatArray  # (n,) outline width; 0 = solid
    bend_fraction: FloatArray  # (n,) amplitude of the glyph's own elastic warp, in em
    colours: FloatArray | None = None  # (n, 3) 0-255, or one colour for all
    touch_fraction: float = 0.0  # 0-1, probability that a glyph is pushed against its neighbour
    rows: int = 1


def plain_shapes(faces: Sequence[str], size_px: float) -> GlyphShapes:
    """Upright, solid, evenly spaced glyphs of one size."""
    n = len(faces)
    zero = np.zeros((9, n), np.float32)
    return GlyphShapes(
        faces=list(faces),
        size_px=np.full(n, size_px, np.float32),
        rotation_deg=zero[0],
        skew_deg=zero[1],
        stretch=np.ones(n, np.float32),
        shift_px=np.zeros((n, 2), np.float32),
        corners_fraction=np.zeros((n, 4, 2), np.float32),
        gap_fraction=zero[2],
        weight_px=zero[3],
        hollow_px=zero[4],
        bend_fraction=zero[5],
    )


@dataclass(slots=True)
class Scene:
    """Everything known about one picture. Distortions change it in place, phase by phase."""

    rng: np.random.Generator
    width_px: int
    height_px: int
    text: str
    background: tuple[int, int, int]
    ink: tuple[int, int, int]
    shapes: GlyphShapes
    image: Rgb = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    mask: Mask = field(default_factory=lambda: np.zeros((0, 0), np.uint8))  # text coverage, (H, W)
    inks: Rgb | None = None  # (H, W, 3) colour of the text layer where it is not one colour
    owners: Mask | None = None  # (H, W) which glyph (1-based) a pixel belongs to; None = not asked for
    stroke_px: float = 3.0  # typical stroke width of the text, known once the glyphs are drawn
    text_box: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom of the drawn glyphs
    text_moved: bool = False  # whether the text layer may have left that box since

    def warp(self, map_x: FloatArray, map_y: FloatArray) -> None:
        """Move the picture: output pixel (y, x) takes input (map_y, map_x); ownership follows."""
        self.image = cv2.remap(self.image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self._warp_owners(map_x, map_y)

    def warp_text(self, map_x: FloatArray, map_y: FloatArray) -> None:
        """Move the text layer alone, before it is laid on the canvas."""
        self.text_moved = True
        self.mask = cv2.remap(self.mask, map_x, map_y, cv2.INTER_LINEAR)
        if self.inks is not None:
            self.inks = cv2.remap(self.inks, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        self._warp_owners(map_x, map_y)

    def _warp_owners(self, map_x: FloatArray, map_y: FloatArray) -> None:
        if self.owners is not None:
            self.owners = cv2.remap(self.owners, map_x, map_y, cv2.INTER_NEAREST)

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Column and row index of each pixel, as (1, W) and (H, 1) float32, ready to broadcast."""
        return (
            np.arange(self.width_px, dtype=np.float32)[None, :],
            np.arange(self.height_px, dtype=np.float32)[:, None],
        )


def solid(size: tuple[int, int], colour: tuple[int, int, int]) -> Rgb:
    """An image of ``size`` (height, width) filled with one colour."""
    image = np.empty((*size, 3), np.uint8)
    cv2.rectangle(image, (0, 0), (size[1], size[0]), colour, -1)
    return image


def blend(image: Rgb, ink: Rgb | tuple[int, int, int], mask: Mask) -> Rgb:
    """``image`` with ``ink`` laid over it where ``mask`` (0-255) covers it."""
    over = solid(mask.shape, ink) if isinstance(ink, tuple) else ink
    cover = mask.astype(np.float32)
    cover *= np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(image, over, 1 - cover, cover), np.uint8)
