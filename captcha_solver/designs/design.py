"""What a design is: canvas, text, fonts, colours and an ordered list of distortions, as frozen data."""

from dataclasses import dataclass

import numpy as np

from captcha_solver.designs.external import ExternalCommand
from captcha_solver.designs.knobs import Distortion, at_severity


@dataclass(frozen=True, slots=True)
class Range:
    """A number drawn anew for each image, uniformly from ``low`` to ``high``."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        return self.low if self.low == self.high else float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Canvas:
    width_px: Range
    height_px: Range


@dataclass(frozen=True, slots=True)
class Lettering:
    """What is written: one of ``charsets`` an image, ``length`` characters, sized to the canvas height."""

    charsets: tuple[str, ...]
    min_length: int
    max_length: int
    size_fraction: Range
    fit_fraction: float


@dataclass(frozen=True, slots=True)
class Fonts:
    """Faces to choose from; ``mixed_probability`` is how often each glyph takes a face of its own."""

    faces: tuple[str, ...]
    mixed_probability: float


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

    @property
    def fixed(self) -> bool:
        """Whether every image gets exactly the same parameters."""
        return not self.ranges and not self.options and self.severity.low == self.severity.high

    def resolve(self, rng: np.random.Generator) -> Distortion | None:
        """The distortion for one image that has it; None at severity 0."""
        severity = self.severity.draw(rng)
        if severity <= 0:
            return None
        base = self.base
        if self.ranges or self.options:
            changed: dict[str, float | str] = {name: span.draw(rng) for name, span in self.ranges}
            changed |= {name: words[int(rng.integers(len(words)))] for name, words in self.options}
            base = type(base)(**({name: getattr(base, name) for name in base.__dataclass_fields__} | changed))  # type: ignore[attr-defined]
        return at_severity(base, severity)


@dataclass(frozen=True, slots=True)
class Design:
    """A CAPTCHA design. Exactly one of ``command`` and the drawing fields is used."""

    name: str
    summary: str
    canvas: Canvas
    lettering: Lettering
    fonts: Fonts
    palettes: tuple[Palette, ...]
    distortions: tuple[DistortionSpec, ...]
    command: ExternalCommand | None = None
