"""A proxy, 0-1, of how well people could read drawings whose glyphs are known.

Not validated on people: it is a measure of contrast against clutter, made so that a distortion that makes an image
uglier without stopping an attack shows. Each glyph counts by how far its ink stands out from what surrounds it, in
CIE L*a*b* (ISO/CIE 11664-4), over that distance and the spread of colours around and within it; and by how much of it
other glyphs leave uncovered.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import Drawing, draw_batch
from captcha_solver.symbols import characters

RING_PX = 3
FEWEST_PIXELS = 8


def legibility(design: Design, texts: Sequence[str], seed: int) -> NDArray[np.float64]:
    """(N,) the proxy of each text drawn once."""
    drawings = draw_batch(design, list(texts), np.random.default_rng([seed, 0x1E61]), owners=True)
    return np.array([of_drawing(drawing) for drawing in drawings])


def of_drawing(drawing: Drawing) -> float:
    """Mean over the glyphs of a drawing with owners; a glyph that left no trace counts 0."""
    assert drawing.owners is not None, "draw with owners=True"
    rgb = drawing.image.astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)
    glyphs = len([char for char in characters(drawing.text) if not char.isspace()])
    clarities = [_clarity(lab, drawing.owners, glyph) for glyph in range(1, glyphs + 1)]
    return float(np.mean(clarities)) if clarities else 0.0


def _clarity(lab: NDArray[np.float32], owners: NDArray[np.uint8], glyph: int) -> float:
    ink = owners == glyph
    if int(ink.sum()) < FEWEST_PIXELS:
        return 0.0
    kernel = np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)
    near = cv2.dilate(ink.astype(np.uint8), kernel).astype(bool) & ~ink
    ring = near & (owners == 0)
    if int(ring.sum()) < FEWEST_PIXELS:
        return 0.0
    distance = float(np.linalg.norm(np.median(lab[ink], axis=0) - np.median(lab[ring], axis=0)))
    spread = float(np.linalg.norm(lab[ink].std(axis=0)) + np.linalg.norm(lab[ring].std(axis=0)))
    free = float(ring.sum() / max(int(near.sum()), 1))
    return distance / (distance + spread + 1e-6) * free
