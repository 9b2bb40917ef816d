"""Views of one image: further preprocessings that are read when the first reading is unsure, and their vote.

A view changes what a reader stumbles over (hatching, thin lines, narrow faces, small print) and leaves the text alone.
Readers err differently on each, so that the answer of most of them, weighted by confidence, is right more often than
the answer to the image as it is (test-time augmentation; Krizhevsky et al. 2012).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Character, Reading, Rgb
from captcha_solver.voting import CANVAS, ViewSettings

WIDER, NARROWER = 1.12, 0.9
DOUBLED_PX = 80  # an image whose shorter side is smaller is doubled
STRONG_SHARE = 0.35  # of the densest row: a row with less ink is not text


@dataclass(frozen=True, slots=True)
class View:
    """Pixels (H, W, 3) uint8 to read; their column ``x`` lies at image column ``left_px + x * px_per_column``.

    ``pieces``: where several parts of an image lie side by side, the first column of each and its column in the image.
    ``of``: the view whose columns these are, where it is a view of another view.
    """

    pixels: Rgb
    left_px: float = 0.0
    px_per_column: float = 1.0
    pieces: tuple[tuple[int, float], ...] = ()
    of: "View | None" = None

    def image_column(self, column: float, start: float | None = None) -> float:
        """The image column of a ``column``, held within the piece of ``start`` (else within its own)."""
        within = column if start is None else start
        last = self.pixels.shape[1]
        for first, left_px in reversed(self.pieces):
            if within >= first:
                return left_px + float(min(max(column, first), last) - first)
            last = first
        return self.left_px + column * self.px_per_column

    def in_image(self, reading: Reading) -> Reading:
        """A reading of ``pixels`` with its spans in columns of the image."""
        characters = tuple(replace(each, span_px=self._span(each)) for each in reading.characters)
        led_back = replace(reading, characters=characters)
        return led_back if self.of is None else self.of.in_image(led_back)

    def _span(self, character: Character) -> tuple[float, float]:
        left, right = (min(column, self.pixels.shape[1]) for column in character.span_px)  # strips are padded
        middle = (left + right) / 2
        return self.image_column(left, middle), self.image_column(right, middle)


def _as_it_is(image: Rgb) -> View:
    return View(image)


def _median(image: Rgb) -> View:
    """Without marks of one pixel: hatching, specks, thin lines."""
    return View(np.asarray(cv2.medianBlur(image, 3), np.uint8))


def _rows(image: Rgb) -> View:
    """The rows of the text alone, without what thin lines add above and below."""
    top, bottom = text_rows(image)
    return View(image[top:bottom])


def _wider(image: Rgb) -> View:
    return _scaled(image, WIDER)


def _narrower(image: Rgb) -> View:
    return _scaled(image, NARROWER)


def _median_rows(image: Rgb) -> View:
    return _rows(_median(image).pixels)


def _doubled(image: Rgb) -> View:
    """Twice as large with hard edges, then the marks of one former pixel rounded off; a large image: median twice."""
    if min(image.shape[:2]) >= DOUBLED_PX:
        return _median(_median(image).pixels)
    height, width = image.shape[:2]
    doubled = cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    return View(np.asarray(cv2.medianBlur(doubled, 3), np.uint8), px_per_column=0.5)


VIEWS: dict[str, Callable[[Rgb], View]] = {
    "region": _as_it_is,
    "median": _median,
    CANVAS: _as_it_is,
    "wider": _wider,
    "narrower": _narrower,
    "median-rows": _median_rows,
    "doubled": _doubled,
}


def further_views(image: Rgb, first: View, settings: ViewSettings) -> list[View]:
    """The views of an (H, W, 3) uint8 image after the ``first``, which is cut to its text."""
    names = list(VIEWS)[1 : settings.most]
    return [View(image) if name == CANVAS else replace(VIEWS[name](first.pixels), of=first) for name in names]


def text_rows(image: Rgb) -> tuple[int, int]:
    """First and last row + 1 of the rows with much ink, of an (H, W, 3) image; all of them where nothing stands out.

    Ink is what differs from the canvas' colour; an opening by 2 x 2 takes thin lines away before rows are compared.
    """
    height = image.shape[0]
    ink = _ink(image)
    rows = np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32).mean(axis=1)
    peak = float(rows.max())
    if peak < 1:
        return 0, height
    strong = np.flatnonzero(rows > STRONG_SHARE * peak)
    top, bottom = int(strong[0]), int(strong[-1]) + 1
    margin = max(2, round(0.15 * (bottom - top)))
    top, bottom = max(0, top - margin), min(height, bottom + margin)
    return (top, bottom) if bottom - top >= 8 else (0, height)


def _ink(image: Rgb) -> NDArray[np.uint8]:
    """Largest difference of a channel from the canvas' colour, the median one: (H, W) uint8."""
    canvas = np.median(image.reshape(-1, 3), axis=0).astype(np.int16)
    return np.asarray(np.abs(image.astype(np.int16) - canvas).max(axis=2), np.uint8)


def _scaled(image: Rgb, factor: float) -> View:
    height, width = image.shape[:2]
    wide = max(8, round(width * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return View(np.asarray(cv2.resize(image, (wide, height), interpolation=how), np.uint8), px_per_column=width / wide)
