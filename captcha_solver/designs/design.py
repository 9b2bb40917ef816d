"""What a design is: canvas, text, fonts, colours and an ordered list of distortions, as frozen data.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from captcha_solver.designs.drawing.scene import FloatArray
from captcha_solver.designs.external import ExternalCommand
from captcha_solver.designs.knobs import Distortion, at_severity


@dataclass(frozen=True, slots=True)
class Range:
    """A number drawn anew for each image, uniformly from ``low`` to ``high``."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        return self.low if self.low == self.high else float(rng.uniform(self.low, self.high))

    def draw_many(self, rng: np.random.Generator, count: int) -> FloatArray:
        """(count, 1) float32"""
        return (self.low + (self.high - self.low) * rng.random((count, 1))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Canvas:
    width_px: Range
    height_px: Range


@dataclass(frozen=True, slots=True)
class Sums:
    """Texts that are sums: one of ``signs``, numbers 0 to ``largest``, ``written`` in digits or in a language's words.

    ``endings``: what asks for the result, "=?" or nothing. ``spaced_probability``: how often blanks stand between the
    parts. ``label``: whether a drawn image is labelled with the ``expression`` or its ``result``. None is below 0.
    """

    signs: tuple[str, ...]
    largest: int
    written: tuple[str, ...]
    endings: tuple[str, ...]
    spaced_probability: float
    label: str


@dataclass(frozen=True, slots=True)
class Lettering:
    """What is written: one of ``charsets`` and of ``lengths`` (lowest, highest) an image, sized to the canvas height.

    A text is cut short where its characters would have less than ``min_pitch_px`` of the canvas width each. With
    ``sums`` the texts are those, and the one charset has all that they can be written with.
    """

    charsets: tuple[str, ...]
    lengths: tuple[tuple[int, int], ...]
    size_fraction: Range
    fit_fraction: float
    min_pitch_px: float
    sums: Sums | None = None

    @property
    def min_length(self) -> int:
        return min(low for low, _ in self.lengths)

    @property
    def max_length(self) -> int:
        return max(high for _, high in self.lengths)


@dataclass(frozen=True, slots=True)
class Fonts:
    """Faces to choose from; ``mixed_probability`` is how often each glyph takes a face of its own.

    ``partial`` faces lack some of the characters: a style chooses from them too if they have all of its charset.
    """

    faces: tuple[str, ...]
    mixed_probability: float
    partial: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Palette:
    """How canvas and ink are coloured, each channel from a range of levels 0-255."""

    weight: float
    background_levels: Range
    ink_levels: Range
    grey_probability: float
    min_contrast_levels: float


@dataclass(frozen=True, slots=True)
class DistortionSpec:
    """One distortion as the design states it: its parameters may be ranges or choices, drawn for each image."""

    kind: str
    base: Distortion
    severity: Range
    probability: float
    ranges: tuple[tuple[str, Range], ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def resolve(self, rng: np.random.Generator) -> Distortion | None:
        """The distortion for one picture that has it; None at severity 0."""
        severity = self.severity.draw(rng)
        if severity <= 0:
            return None
        if not self.ranges and not self.options:
            return at_severity(self.base, severity)
        changed: dict[str, Any] = {name: span.draw(rng) for name, span in self.ranges}
        changed |= {name: words[int(rng.integers(len(words)))] for name, words in self.options}
        varied: Distortion = dataclasses.replace(cast(Any, self.base), **changed)
        return at_severity(varied, severity)

    def resolve_many(self, rng: np.random.Generator, count: int) -> Distortion:
        """The distortion for ``count`` pictures: knobs that vary become arrays (count, 1)."""
        base: Any = self.base
        if self.ranges or self.options:
            changed: dict[str, Any] = {name: span.draw_many(rng, count) for name, span in self.ranges}
            changed |= {
                name: np.array(words)[rng.integers(len(words), size=(count, 1))] for name, words in self.options
            }
            base = dataclasses.replace(base, **changed)
        fixed = self.severity.low == self.severity.high
        severity = self.severity.low if fixed else self.severity.draw_many(rng, count)
        resolved: Distortion = at_severity(base, severity)
        return resolved


@dataclass(frozen=True, slots=True)
class Style:
    """``images`` (lowest, highest) in a row share their choices; ``quiet_probability`` of styles have few distortions.

    ``aspect``: width by height of the canvas, within its limits, drawn so that each doubling is as likely.
    """

    images: tuple[int, int]
    quiet_probability: float
    aspect: Range | None


@dataclass(frozen=True, slots=True)
class Design:
    """A CAPTCHA design. Exactly one of ``command`` and the drawing fields is used.

    ``busy_fraction`` multiplies the probability of every distortion, drawn anew for each image: where many are
    possible, few images have many.
    With a ``style`` a few images in a row share their choices, see ``styles``.
    """

    name: str
    summary: str
    canvas: Canvas
    lettering: Lettering
    fonts: Fonts
    palettes: tuple[Palette, ...]
    distortions: tuple[DistortionSpec, ...]
    command: ExternalCommand | None = None
    busy_fraction: Range = Range(1, 1)
    style: Style | None = None
