"""A design and a random generator to a picture with its text: deterministic for a seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.design import Design, Palette
from captcha_solver.designs.knobs import Distortion, Phase
from captcha_solver.designs.layout import place
from captcha_solver.designs.scene import Scene, blend, plain_shapes, solid
from captcha_solver.designs.text_layer import draw_text
from captcha_solver.errors import DesignError
from captcha_solver.types import Rgb

PALETTE_TRIES = 12


@dataclass(frozen=True, slots=True)
class Drawing:
    """``image`` (H, W, 3) uint8, the ``text`` in it, and, if asked for, ``owners`` (H, W) uint8:

    0 where no glyph is, i where the pixel belongs to the i-th glyph (1-based).
    """

    image: Rgb
    text: str
    owners: NDArray[np.uint8] | None


def draw(
    design: Design, text: str | None, rng: np.random.Generator, *, owners: bool = False, max_length: int | None = None
) -> Drawing:
    """Draw ``text`` (or a random one, None) in ``design``. The same generator state gives the same pixels.

    Raises ``DesignError`` for a design that is a command, or a text the design's fonts cannot draw.
    """
    if design.command is not None:
        raise DesignError(f"design {design.name!r} is a command; draw a folder of it with `captcha-solver draw`")
    written = random_text(design, rng, max_length) if text is None else _drawable(design, text)
    scene = _scene(design, written, rng)
    if owners:
        scene.owners = np.zeros((scene.height_px, scene.width_px), np.uint8)
    phases = _by_phase(design, rng)
    for distortion in phases[Phase.LAYOUT]:
        distortion.apply(scene)
    placed = place(scene, design.lettering.fit_fraction)
    draw_text(scene, placed)
    scene.image = solid((scene.height_px, scene.width_px), scene.background)
    for distortion in (*phases[Phase.BACKGROUND], *phases[Phase.TEXT]):
        distortion.apply(scene)
    _lay_text(scene)
    for distortion in (*phases[Phase.MARKS], *phases[Phase.IMAGE]):
        distortion.apply(scene)
    return Drawing(scene.image, written, scene.owners)


def seeded(seed: int, index: int) -> np.random.Generator:
    """The generator of image ``index`` of a run: independent of how many are drawn, and in what order."""
    return np.random.default_rng([seed, index])


def random_text(design: Design, rng: np.random.Generator, max_length: int | None = None) -> str:
    """A text as the design asks for it."""
    lettering = design.lettering
    charset = lettering.charsets[int(rng.integers(len(lettering.charsets))) if len(lettering.charsets) > 1 else 0]
    high = min(lettering.max_length, max_length or lettering.max_length)
    length = int(rng.integers(min(lettering.min_length, high), high + 1))
    return "".join(charset[i] for i in rng.integers(0, len(charset), length))


def _drawable(design: Design, text: str) -> str:
    known = set("".join(design.lettering.charsets))
    missing = sorted(set(text) - known)
    if missing or not text:
        raise DesignError(f"design {design.name!r} draws {''.join(sorted(known))!r}, received {text!r}")
    return text


def _scene(design: Design, text: str, rng: np.random.Generator) -> Scene:
    width_px, height_px = round(design.canvas.width_px.draw(rng)), round(design.canvas.height_px.draw(rng))
    background, ink = _colours(design.palettes, rng)
    size_px = design.lettering.size_fraction.draw(rng) * height_px
    return Scene(
        rng=rng,
        width_px=width_px,
        height_px=height_px,
        text=text,
        background=background,
        ink=ink,
        shapes=plain_shapes(_faces(design, len(text), rng), size_px),
    )


def _faces(design: Design, n: int, rng: np.random.Generator) -> list[str]:
    faces = design.fonts.faces
    if len(faces) == 1:
        return [faces[0]] * n
    if design.fonts.mixed_probability and rng.random() < design.fonts.mixed_probability:
        return [faces[i] for i in rng.integers(0, len(faces), n)]
    return [faces[int(rng.integers(len(faces)))]] * n


def _colours(
    palettes: tuple[Palette, ...], rng: np.random.Generator
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    palette = palettes[0]
    if len(palettes) > 1:
        weights = np.array([p.weight for p in palettes])
        palette = palettes[int(np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random()))]
    low_b, high_b = palette.background_levels.low, palette.background_levels.high
    low_i, high_i = palette.ink_levels.low, palette.ink_levels.high
    low, span = np.array([[low_b], [low_i]]), np.array([[high_b - low_b], [high_i - low_i]])
    best, best_gap = None, -1.0
    grey = palette.grey_probability > 0 and rng.random() < palette.grey_probability
    for _ in range(PALETTE_TRIES):
        pair = low + span * (rng.random((2, 1)).repeat(3, 1) if grey else rng.random((2, 3)))
        gap = float(np.abs(pair[0] - pair[1]).max())
        if gap > best_gap:
            best, best_gap = pair, gap
        if gap >= palette.min_contrast_levels:
            break
    assert best is not None  # at least one try
    canvas, ink = best.astype(int).tolist()
    return (canvas[0], canvas[1], canvas[2]), (ink[0], ink[1], ink[2])


def _by_phase(design: Design, rng: np.random.Generator) -> dict[Phase, list[Distortion]]:
    phases: dict[Phase, list[Distortion]] = {phase: [] for phase in Phase}
    chances = rng.random(len(design.distortions))
    for spec, chance in zip(design.distortions, chances.tolist(), strict=True):
        distortion = spec.resolve(rng) if chance < spec.probability else None
        if distortion is not None:
            phases[distortion.phase].append(distortion)
    return phases


def _lay_text(scene: Scene) -> None:
    left, top, right, bottom = (0, 0, scene.width_px, scene.height_px)
    if not scene.text_moved:  # then the ink lies within its box
        left, top, right, bottom = scene.text_box
    if right <= left or bottom <= top:
        return
    place = np.s_[top:bottom, left:right]
    ink = scene.ink if scene.inks is None else scene.inks[place]
    scene.image[place] = blend(scene.image[place], ink, scene.mask[place])
