"""One picture while it is drawn: a text layer over a canvas, kept as a single grey mask for as long as it can be.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Rgb

FloatArray: TypeAlias = NDArray[np.float32]
Coverage: TypeAlias = NDArray[np.uint8]
"""(H, W) how much of each pixel is covered, 0-255."""
Colour: TypeAlias = tuple[int, int, int]
Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in px

MAX_SIDE_PX = 2048  # of a picture
COLUMNS = np.arange(MAX_SIDE_PX, dtype=np.float32)[None, :]
ROWS = np.arange(MAX_SIDE_PX, dtype=np.float32)[:, None]
INKED = 40  # of 255: a pixel of the text layer covered more than this takes the colour of what covers it
CROSS = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


@dataclass(slots=True)
class Scene:
    """Everything known about one picture after its layout. Distortions change it in place, phase by phase.

    While the canvas is plain and all ink has one colour, the picture *is* ``mask`` (H, W): how much of each pixel is
    ink. Marks in the text's colour, warps and blurs then work on one channel, with the same result.
    Whoever asks for ``image`` ends that.
    """

    rng: np.random.Generator
    width_px: int
    height_px: int
    text: tuple[str, ...]  # its characters from left to right
    faces: list[str]
    background: Colour
    ink: Colour
    mask: Coverage
    inks: Rgb | None  # (H, W, 3) colour of the text layer where it is not one colour
    glyph_colours: list[Colour] | None
    owners: Coverage | None  # (H, W) which glyph (1-based) a pixel belongs to; None = not asked for
    text_box: Box  # of all glyphs as they were drawn
    glyph_boxes: tuple[Box, ...] = ()  # of each, before the text or the picture was warped
    canvas: Rgb | None = None  # the picture so far, where it is more than the mask on a plain background
    laid: bool = False  # whether the text is on the canvas
    stroke: float = 0.0

    @property
    def image(self) -> Rgb:
        """The picture (H, W, 3): the bare canvas while the background is painted, with the text once it is laid."""
        if self.canvas is None:
            if self.laid:
                self.canvas = _inked(self.background, self.ink, self.mask)
            else:
                self.canvas = solid((self.height_px, self.width_px), self.background)
        return self.canvas

    @image.setter
    def image(self, image: NDArray[Any]) -> None:
        self.canvas = np.asarray(image, np.uint8)

    def lay_text(self) -> None:
        """Put the text on the canvas; a plain one stays a mask."""
        if self.canvas is not None or self.inks is not None:
            ink = self.ink if self.inks is None else self.inks
            self.canvas = blend(self.image, ink, self.mask)
        self.laid = True

    def colour_text(self, where: Coverage, colour: Colour) -> None:
        """Give the text layer another ``colour`` wherever ``where`` (H, W) covers it."""
        if self.inks is None:
            self.inks = solid((self.height_px, self.width_px), self.ink)
        self.inks[where > INKED] = colour

    def brush(self, colour: Colour) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
        """What to draw ``colour`` on, and the value to draw: the mask and 255 where that says the same."""
        if self.laid and self.canvas is None and colour == self.ink:
            return self.mask, (255,)
        return self.image, colour

    def filter(self, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
        """Apply a linear or geometric operation to the picture."""
        if self.laid and self.canvas is None:
            self.mask = change(self.mask)
        else:
            self.image = change(self.image)

    def warp(self, map_x: FloatArray, map_y: FloatArray) -> None:
        """Move the picture: output pixel (y, x) takes input (map_y, map_x); ownership follows."""
        self.filter(lambda p: np.asarray(cv2.remap(p, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)))
        self._warp_owners(map_x, map_y)

    def warp_text(self, map_x: FloatArray, map_y: FloatArray) -> None:
        """Move the text layer alone, before it is laid on the canvas."""
        self.mask = np.asarray(cv2.remap(self.mask, map_x, map_y, cv2.INTER_LINEAR), np.uint8)
        if self.inks is not None:
            self.inks = np.asarray(
                cv2.remap(self.inks, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE),
                np.uint8,
            )
        self._warp_owners(map_x, map_y)

    def _warp_owners(self, map_x: FloatArray, map_y: FloatArray) -> None:
        if self.owners is not None:
            self.owners = np.asarray(cv2.remap(self.owners, map_x, map_y, cv2.INTER_NEAREST), np.uint8)

    def resize(self, size: tuple[int, int], resample: int) -> None:
        """Give the finished picture another ``size`` (width, height) px; all that is known about it follows."""
        across, down = size[0] / self.width_px, size[1] / self.height_px
        self.mask = np.asarray(cv2.resize(self.mask, size, interpolation=resample), np.uint8)
        if self.canvas is not None:
            self.image = cv2.resize(self.canvas, size, interpolation=resample)
        if self.inks is not None:
            self.inks = np.asarray(cv2.resize(self.inks, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        if self.owners is not None:
            self.owners = np.asarray(cv2.resize(self.owners, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        left, top, right, bottom = self.text_box
        self.text_box = (round(left * across), round(top * down), round(right * across), round(bottom * down))
        self.stroke *= (across * down) ** 0.5
        self.width_px, self.height_px = size

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Column and row index of each pixel, as (1, W) and (H, 1) float32, ready to broadcast."""
        return COLUMNS[:, : self.width_px], ROWS[: self.height_px]

    @property
    def stroke_px(self) -> float:
        """Mean stroke width of the text: twice its area over the length of its edge."""
        if self.stroke == 0:
            self.stroke = _stroke_width(self.mask)
        return self.stroke


def _stroke_width(mask: Coverage) -> float:
    solid_ink = cv2.threshold(mask, 127, 255, cv2.THRESH_BINARY)[1]
    area = cv2.countNonZero(solid_ink)
    if area == 0:
        return 2.0
    edge = area - cv2.countNonZero(cv2.erode(solid_ink, CROSS))
    return float(np.clip(2.0 * area / max(edge, 1), 1.0, 20.0))


def _inked(background: Colour, ink: Colour, mask: Coverage) -> Rgb:
    """``ink`` laid over a plain ``background`` where ``mask`` covers it: one straight line of levels a channel."""
    channels = [
        cv2.convertScaleAbs(mask, alpha=(over - under) / 255, beta=under)
        for under, over in zip(background, ink, strict=True)
    ]
    return np.asarray(cv2.merge(channels), np.uint8)


def solid(size: tuple[int, int], colour: Colour) -> Rgb:
    """An image of ``size`` (height, width) filled with one colour."""
    image = np.empty((*size, 3), np.uint8)
    cv2.rectangle(image, (0, 0), (size[1], size[0]), colour, -1)
    return image


def blend(image: Rgb, ink: Rgb | Colour, mask: Coverage) -> Rgb:
    """``image`` with ``ink`` laid over it where ``mask`` (0-255) covers it."""
    height, width = mask.shape
    over = solid((height, width), ink) if isinstance(ink, tuple) else ink
    cover = mask.astype(np.float32)
    cover *= np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(image, over, 1 - cover, cover), np.uint8)


def near(colour: Colour, levels: FloatArray | NDArray[np.float64]) -> Colour:
    """``colour`` moved by signed ``levels`` (3,), clipped to 0-255."""
    red, green, blue = np.clip(np.add(colour, levels), 0, 255).astype(int).tolist()
    return red, green, blue
