"""The nouns that pass between stages: images, strips, glyphs, scores, readings, solutions, samples.

Tested in ``tests/test_solver.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Rgb: TypeAlias = NDArray[np.uint8]
"""Colour image, (H, W, 3), 0-255, red first."""

Gray: TypeAlias = NDArray[np.float32]
"""Grey image, (H, W), 0-1, ink = 1."""

Batch: TypeAlias = NDArray[np.float32]
"""What a network takes: (N, H, W, C), 0-1."""


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open rectangle in image pixels: columns ``left..right-1``, rows ``top..bottom-1``."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int

    @property
    def width_px(self) -> int:
        return self.right_px - self.left_px

    @property
    def height_px(self) -> int:
        return self.bottom_px - self.top_px


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Candidate glyph crops: ``pixels`` (N, G, G, 1) float32 0-1 (ink = 1) and N boxes in Gray pixels."""

    pixels: NDArray[np.float32]
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True)
class Strip:
    """A text scaled to the height a model takes.

    ``pixels`` is (S, W', 3) float32 0-1; strip column ``x`` lies at column ``x * px_per_column`` of what was scaled.
    """

    pixels: NDArray[np.float32]
    px_per_column: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What every route ends in.

    ``log_probs`` (T, C) float32, class 0 "nothing here"; ``spans_px`` (T, 2) float32, left and right column of
    each step in the view that was read; ``collapse`` says whether repeats merge (CTC) or not (segments).
    """

    log_probs: NDArray[np.float32]
    spans_px: NDArray[np.float32]
    collapse: bool


@dataclass(frozen=True, slots=True)
class Character:
    """One character read: confidence 0-1, and the image columns (left, right) it was read from."""

    char: str
    confidence: float
    span_px: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A decoded text with its characters, in reading order, and overall confidence 0-1.

    Where a sum was read and its answer asked for, ``text`` is the answer, and ``characters`` are those of the sum.
    """

    text: str
    characters: tuple[Character, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Solution:
    """The answer for one image. ``failure`` says why there is none; then ``reading.text`` is empty.

    ``views``: in how many views the image was read; 0 where there was none to read. ``frames``: how many frames that
    differ an animation has, which were read as one picture.
    """

    reading: Reading
    recognizer: str
    model_sha256: str
    elapsed_ms: float
    failure: str | None = None
    views: int = 1
    frames: int = 1

    @property
    def text(self) -> str:
        return self.reading.text

    @property
    def confidence(self) -> float:
        return self.reading.confidence


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled image: encoded bytes, the text in it, and where it came from."""

    id: str
    image: bytes
    text: str
    design: str
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt of one recognizer on one sample; raw trials are stored, summaries computed from them."""

    sample_id: str
    truth: str
    recognizer: str
    solution: Solution
