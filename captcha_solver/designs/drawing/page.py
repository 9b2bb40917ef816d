"""Many pictures before anything is drawn: the layout of all their glyphs as arrays, so that a batch costs one pass.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.scene import FloatArray

COLUMNS, BOXES = 1, 2  # shapes of cells
MOST_COPIES = 2  # of a glyph's outline


@dataclass(slots=True)
class Page:
    """What the layout phase may change. N pictures, L the longest text; shorter texts leave the last places unused.

    Shapes are (N, L) float32 unless said otherwise; a distortion may broadcast (N, 1).
    """

    rng: np.random.Generator
    texts: list[tuple[str, ...]]  # the characters of each, from left to right
    faces: list[list[str]]
    width_px: FloatArray  # (N, 1)
    height_px: FloatArray  # (N, 1)
    background: FloatArray  # (N, 3) 0-255
    ink: FloatArray  # (N, 3) 0-255
    valid: NDArray[np.bool_]
    size_px: FloatArray  # em size
    rotation_deg: FloatArray
    skew_deg: FloatArray  # slant, positive leans right
    stretch: FloatArray  # horizontal scale, 1 = as designed
    shift_px: FloatArray  # (N, L, 2) x and y offset after layout
    corners_fraction: FloatArray  # (N, L, 4, 2) offset of each corner, in em
    gap_fraction: FloatArray  # extra space after the glyph, in em; negative overlaps
    weight_px: FloatArray  # stroke made thicker (> 0) or thinner (< 0)
    hollow_px: FloatArray  # outline width; 0 = solid
    bitmap_rows: FloatArray  # (N, 1) rows of cells in an em; 0 = smooth
    uneven_fraction: FloatArray  # (N, 1) 0-1, how differently high the rows of cells are
    bend_fraction: FloatArray  # amplitude of the glyph's own elastic warp, in em
    touch_fraction: FloatArray  # (N, 1) 0-1, probability that a glyph is pushed against its neighbour
    step_fraction: FloatArray  # (N, 1) from each glyph to the next, in em, whatever its width; 0 = as the face says
    in_step_middle: NDArray[np.bool_]  # (N, 1) glyphs at the middle of their steps, not at the left
    rows: NDArray[np.int32]  # (N, 1) how many rows the text has
    centred: NDArray[np.bool_]  # (N, 1) rows centred below each other, not started at one left edge
    indent_fraction: FloatArray  # how far the glyph's row is moved to the right, in em
    arc_deg: FloatArray  # (N, 1) angle that the text spans on a circle, > 0 an arch, < 0 a bowl
    clip_fraction: FloatArray  # (N, 4) share of a glyph beyond the left, top, right, bottom edge; 0 = within
    crisp: NDArray[np.bool_]  # (N, 1) glyphs drawn at their own size, without grey edges
    opacity: FloatArray  # (N, 1) 0-1, how much a glyph covers of what is under it
    colours: FloatArray  # (N, L, 3) 0-255
    coloured: NDArray[np.bool_]  # (N,) whether the glyphs have colours of their own
    cell_shape: NDArray[np.int8]  # (N, 1) COLUMNS or BOXES under the glyphs; 0 = no cells
    cell_gap_px: FloatArray  # (N, 1) bare canvas between cells
    cell_colours: FloatArray  # (N, L, 3) 0-255
    even_odd: NDArray[np.bool_]  # (N, 1) overlaps turn the fill over
    copies: FloatArray  # (N, L, 2, 3) x and y offset in em, and size, of copies of the outline; size 0 = none

    @property
    def shape(self) -> tuple[int, int]:
        """(N, L)"""
        count, longest = self.valid.shape
        return count, longest

    def row_of_glyph(self) -> NDArray[np.int64]:
        """(N, L) from 0, the top row; rows are as equal as they can be, upper ones the longer."""
        lengths = self.valid.sum(axis=1, keepdims=True)
        row = np.arange(self.shape[1]) * self.rows // np.maximum(lengths, 1)
        return np.asarray(np.minimum(row, self.rows - 1), np.int64)

    def uniform(self, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
        """A number for each glyph, (N, L)."""
        return (low + self.rng.random(self.shape, np.float32) * np.subtract(high, low)).astype(np.float32)

    def uniform_each(self, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
        """A number for each picture, (N, 1)."""
        return (low + self.rng.random((len(self.texts), 1), np.float32) * np.subtract(high, low)).astype(np.float32)


def plain_page(
    rng: np.random.Generator,
    texts: list[tuple[str, ...]],
    faces: list[list[str]],
    size_px: FloatArray,
    canvas_px: FloatArray,
) -> Page:
    """Upright, solid, evenly spaced, black glyphs of ``size_px`` (N,) on white canvases ``canvas_px`` (N, 2)."""
    n, longest = len(texts), max(map(len, texts))
    lengths = np.array([len(text) for text in texts])[:, None]
    zero = np.zeros((7, n, longest), np.float32)
    return Page(
        rng=rng,
        texts=texts,
        faces=faces,
        width_px=canvas_px[:, :1],
        height_px=canvas_px[:, 1:],
        background=np.full((n, 3), 255, np.float32),
        ink=np.zeros((n, 3), np.float32),
        valid=np.arange(longest) < lengths,
        size_px=np.repeat(size_px[:, None], longest, 1),
        rotation_deg=zero[0],
        skew_deg=zero[1],
        stretch=np.ones((n, longest), np.float32),
        shift_px=np.zeros((n, longest, 2), np.float32),
        corners_fraction=np.zeros((n, longest, 4, 2), np.float32),
        gap_fraction=zero[2],
        weight_px=zero[3],
        hollow_px=zero[4],
        bitmap_rows=np.zeros((n, 1), np.float32),
        uneven_fraction=np.zeros((n, 1), np.float32),
        bend_fraction=zero[5],
        touch_fraction=np.zeros((n, 1), np.float32),
        step_fraction=np.zeros((n, 1), np.float32),
        in_step_middle=np.zeros((n, 1), np.bool_),
        rows=np.ones((n, 1), np.int32),
        centred=np.zeros((n, 1), np.bool_),
        indent_fraction=zero[6],
        arc_deg=np.zeros((n, 1), np.float32),
        clip_fraction=np.zeros((n, 4), np.float32),
        crisp=np.zeros((n, 1), np.bool_),
        opacity=np.ones((n, 1), np.float32),
        colours=np.zeros((n, longest, 3), np.float32),
        coloured=np.zeros(n, np.bool_),
        cell_shape=np.zeros((n, 1), np.int8),
        cell_gap_px=np.zeros((n, 1), np.float32),
        cell_colours=np.zeros((n, longest, 3), np.float32),
        even_odd=np.zeros((n, 1), np.bool_),
        copies=np.zeros((n, longest, MOST_COPIES, 3), np.float32),
    )
