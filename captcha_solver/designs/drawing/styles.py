"""A style: one choice out of everything that a design leaves open, which several pictures then share.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

import dataclasses
import math
from typing import Any, cast

import numpy as np

from captcha_solver.designs.design import Canvas, Design, DistortionSpec, Fonts, Range
from captcha_solver.designs.fonts import faces_with_all

KEPT_COLOURS = 0.6  # of styles have one canvas and one ink; the others draw them anew within one palette
QUIET_SHARE = 0.2  # of the distortions that it might have had are left to a quiet style
SMALLEST_PX = 13.0  # font size below which nobody reads a face that is not made for it
FEW_FACES = 4  # a style has up to so many, where it has more than one


def style_of(design: Design, rng: np.random.Generator, *, any_text: bool) -> tuple[Design, bool]:
    """``design`` with its open choices made, and whether its pictures share one pair of colours.

    Made are: which distortions are on, their severities and parameters, palette, canvas size, font size, faces and
    the span of lengths; the charset only if the texts are to be random (``any_text``).
    """
    busy = design.busy_fraction.draw(rng)
    if design.style is not None and rng.random() < design.style.quiet_probability:
        busy *= QUIET_SHARE
    chances = rng.random(len(design.distortions)).tolist()
    on = [s for s, chance in zip(design.distortions, chances, strict=True) if chance < s.probability * busy]
    weights = np.cumsum([palette.weight for palette in design.palettes])
    palette = design.palettes[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]
    lettering, canvas = design.lettering, _canvas(design, rng)
    size = max(lettering.size_fraction.draw(rng), SMALLEST_PX / canvas.height_px.low)
    size = min(size, lettering.size_fraction.high)
    charset = lettering.charsets[int(rng.integers(len(lettering.charsets)))]
    charsets = (charset,) if any_text else lettering.charsets
    made = dataclasses.replace(
        design,
        canvas=canvas,
        lettering=dataclasses.replace(
            lettering,
            charsets=charsets,
            lengths=(lettering.lengths[int(rng.integers(len(lettering.lengths)))],),
            size_fraction=Range(size, size),
        ),
        fonts=_fonts(design.fonts, "".join(charsets), rng),
        palettes=(palette,),
        distortions=tuple(_fixed(spec, rng) for spec in on),
        busy_fraction=Range(1, 1),
        style=None,
    )
    return made, bool(rng.random() < KEPT_COLOURS)


def _point(span: Range, rng: np.random.Generator) -> Range:
    value = span.draw(rng)
    return Range(value, value)


def _canvas(design: Design, rng: np.random.Generator) -> Canvas:
    canvas = Canvas(_point(design.canvas.width_px, rng), _point(design.canvas.height_px, rng))
    if design.style is None or design.style.aspect is None:
        return canvas
    aspect = math.exp(Range(math.log(design.style.aspect.low), math.log(design.style.aspect.high)).draw(rng))
    limits = design.canvas.height_px
    height = float(min(max(round(canvas.width_px.low / aspect), limits.low), limits.high))
    return Canvas(canvas.width_px, Range(height, height))


def _fonts(fonts: Fonts, charset: str, rng: np.random.Generator) -> Fonts:
    """A few faces, of those that have all of ``charset``."""
    fit = fonts.faces + faces_with_all(fonts.partial, charset)
    mixed = bool(rng.random() < fonts.mixed_probability)
    few = 1 if rng.random() < 0.5 else int(rng.integers(2, FEW_FACES + 1))
    chosen = rng.permutation(len(fit))[: max(few, 2) if mixed else few].tolist()
    return Fonts(tuple(fit[i] for i in chosen), float(mixed))


def _fixed(spec: DistortionSpec, rng: np.random.Generator) -> DistortionSpec:
    knobs: dict[str, Any] = {name: span.draw(rng) for name, span in spec.ranges}
    knobs |= {name: words[int(rng.integers(len(words)))] for name, words in spec.options}
    base = dataclasses.replace(cast(Any, spec.base), **knobs)
    return DistortionSpec(spec.kind, base, _point(spec.severity, rng), 1.0)
