"""Designs to pictures with their texts, in batches: deterministic for a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import shown
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.layout import place
from captcha_solver.designs.drawing.page import Page, plain_page
from captcha_solver.designs.drawing.scene import FloatArray, Scene
from captcha_solver.designs.drawing.styles import style_of
from captcha_solver.designs.drawing.text_layer import draw_texts
from captcha_solver.designs.knobs import PageDistortion, Phase, SceneDistortion
from captcha_solver.designs.sums import LONGEST_SUM, random_sum
from captcha_solver.errors import DesignError
from captcha_solver.symbols import as_read, characters, left_to_right, reading_order
from captcha_solver.types import Rgb

CHUNK = 64  # pictures that share one generator in a run
PALETTE_TRIES = 8


@dataclass(frozen=True, slots=True)
class Drawing:
    """``image`` (H, W, 3) uint8, the ``text`` in it, in reading order, and, if asked for, ``owners`` (H, W) uint8:

    0 where no glyph is, i where the pixel belongs to the i-th glyph from the left (1-based).
    ``rows``: of text, one above the other.
    """

    image: Rgb
    text: str
    owners: NDArray[np.uint8] | None
    rows: int = 1


def draw(design: Design, text: str | None, rng: np.random.Generator, *, owners: bool = False) -> Drawing:
    """Draw ``text`` (or a random one, None) in ``design``: a batch of one (see ``draw_batch``)."""
    return draw_batch(design, [text], rng, owners=owners)[0]


def draw_batch(
    design: Design, texts: Sequence[str | None], rng: np.random.Generator, *, owners: bool = False
) -> list[Drawing]:
    """Draw each of ``texts`` (None: a random one). The same generator state gives the same pixels.

    The layout of all glyphs is one pass over arrays. Raises ``DesignError`` for a design that is a command, or a
    text that the design's fonts cannot draw.
    """
    if design.command is not None:
        raise DesignError(f"design {design.name!r} is a command; draw a folder of it with `captcha-solver draw`")
    if not texts:
        return []
    if design.style is None:
        return _drawn(design, texts, rng, owners=owners)
    drawings: list[Drawing] = []
    while len(drawings) < len(texts):
        low, high = design.style.images
        share = texts[len(drawings) : len(drawings) + int(rng.integers(low, high + 1))]
        style, same_colours = style_of(design, rng, any_text=not any(share))
        drawings += _drawn(style, share, rng, owners=owners, same_colours=same_colours)
    return drawings


def _drawn(
    design: Design,
    texts: Sequence[str | None],
    rng: np.random.Generator,
    *,
    owners: bool,
    same_colours: bool = False,
) -> list[Drawing]:
    page = _page(design, texts, rng)
    if same_colours:
        page.background[:], page.ink[:], page.colours[:] = page.background[0], page.ink[0], page.ink[0]
    busy = _busy(design, len(texts), rng)
    for spec in design.distortions:
        if isinstance(spec.base, PageDistortion):
            on = rng.random((len(texts), 1)) < spec.probability * busy
            distortion = spec.resolve_many(rng, len(texts))
            if on.any() and isinstance(distortion, PageDistortion):
                distortion.apply(page, on)
    _check_rows(design, page)
    scenes = draw_texts(page, place(page, design.lettering.fit_fraction), owners=owners)
    parts = zip(scenes, busy[:, 0].tolist(), page.rows[:, 0].tolist(), strict=True)
    return [_finished(design, scene, share, rows) for scene, share, rows in parts]


def _check_rows(design: Design, page: Page) -> None:
    """``DesignError`` for a right-to-left text in several rows: each row would have to be turned by itself."""
    for text, rows in zip(page.texts, page.rows[:, 0].tolist(), strict=True):
        if rows > 1 and reading_order(text) != list(range(len(text))):
            raise DesignError(f"design {design.name!r}: expected one row of right-to-left text, received {rows}")


def draw_run(design: Design, seed: int, start: int = 0) -> Iterator[Drawing]:
    """Pictures ``start``, ``start`` + 1, ... of the endless run that belongs to ``seed``.

    Picture i is the same whatever ``start``, and however many are taken.
    """
    chunk, skip = divmod(start, CHUNK)
    while True:
        drawings = draw_batch(design, [None] * CHUNK, np.random.default_rng([seed, chunk]))
        yield from drawings[skip:]
        chunk, skip = chunk + 1, 0


def random_texts(design: Design, count: int, rng: np.random.Generator) -> list[str]:
    """Texts as the design asks for them."""
    lettering = design.lettering
    if lettering.sums is not None:
        return [random_sum(lettering.sums, rng) for _ in range(count)]
    charsets = rng.integers(len(lettering.charsets), size=count).tolist()
    spans = np.array(lettering.lengths)
    if len(spans) > 1:
        spans = spans[rng.integers(len(spans), size=count)]
    lengths = rng.integers(spans[:, 0], spans[:, 1] + 1, count).tolist()
    places = rng.random((count, lettering.max_length))  # of each character within its charset
    texts = []
    for which, length, row in zip(charsets, lengths, places, strict=True):
        charset = characters(lettering.charsets[which])
        texts.append("".join([charset[i] for i in (row[:length] * len(charset)).astype(int).tolist()]))
    return texts


def _drawable(design: Design, text: str) -> str:
    known = characters("".join(design.lettering.charsets))
    if set(characters(text)) - set(known) or not text:
        drawn = shown("".join(sorted(set(known))))
        raise DesignError(f"design {design.name!r} draws {drawn!r}, received {text!r}")
    return text


def _page(design: Design, texts: Sequence[str | None], rng: np.random.Generator) -> Page:
    n = len(texts)
    random = random_texts(design, n, rng)
    width = np.round(design.canvas.width_px.draw_many(rng, n))
    height = np.round(design.canvas.height_px.draw_many(rng, n))
    size_px = design.lettering.size_fraction.draw_many(rng, n) * height
    room = np.floor(width[:, 0] / max(design.lettering.min_pitch_px, 1e-3)).astype(int).tolist()
    if design.lettering.sums is not None:  # half of a sum is none
        room = [LONGEST_SUM] * n
    written = [
        left_to_right("".join(characters(free)[: max(1, most)]) if text is None else _drawable(design, text))
        for text, free, most in zip(texts, random, room, strict=True)
    ]
    faces = [_faces(design, len(text), rng) for text in written]
    page = plain_page(rng, written, faces, size_px[:, 0], np.concatenate([width, height], axis=1))
    page.background, page.ink = _colours(design, n, rng)
    page.colours[:] = page.ink[:, None]
    return page


def _faces(design: Design, n: int, rng: np.random.Generator) -> list[str]:
    faces = design.fonts.faces
    if len(faces) == 1:
        return [faces[0]] * n
    if design.fonts.mixed_probability and rng.random() < design.fonts.mixed_probability:
        return [faces[i] for i in rng.integers(0, len(faces), n).tolist()]
    return [faces[int(rng.integers(len(faces)))]] * n


def _colours(design: Design, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Canvas and ink colours, (N, 3) each: the first of a few draws with enough contrast, else the best of them."""
    weights = np.cumsum([p.weight for p in design.palettes])
    chosen = np.searchsorted(weights, rng.random(n) * weights[-1], side="right")
    rows = [(p.background_levels, p.ink_levels) for p in design.palettes]
    low = np.array([[pair[0].low, pair[1].low] for pair in rows])[chosen]
    high = np.array([[pair[0].high, pair[1].high] for pair in rows])[chosen]
    grey = rng.random(n) < np.array([p.grey_probability for p in design.palettes])[chosen]
    tries = rng.random((PALETTE_TRIES, n, 2, 3))
    tries = np.where(grey[:, None, None], tries[..., :1], tries)
    pairs = low[:, :, None] + (high - low)[:, :, None] * tries
    gaps = np.abs(pairs[:, :, 0] - pairs[:, :, 1]).max(axis=2)
    enough = gaps >= np.array([p.min_contrast_levels for p in design.palettes])[chosen]
    best = np.where(enough.any(axis=0), enough.argmax(axis=0), gaps.argmax(axis=0))
    kept = pairs[best, np.arange(n)].astype(np.float32)
    return kept[:, 0], kept[:, 1]


def _busy(design: Design, count: int, rng: np.random.Generator) -> FloatArray:
    """What each picture's probabilities are multiplied by, (count, 1)."""
    span = design.busy_fraction
    return np.ones((count, 1), np.float32) if span.low == span.high == 1 else span.draw_many(rng, count)


def _finished(design: Design, scene: Scene, busy: float, rows: int) -> Drawing:
    chances = scene.rng.random(len(design.distortions)).tolist()
    on: list[SceneDistortion] = []
    for spec, chance in zip(design.distortions, chances, strict=True):
        if chance < spec.probability * busy and isinstance(spec.base, SceneDistortion):
            distortion = spec.resolve(scene.rng)
            if isinstance(distortion, SceneDistortion):
                on.append(distortion)
    on.sort(key=lambda distortion: distortion.phase)
    for distortion in on:
        if distortion.phase >= Phase.MARKS and not scene.laid:
            scene.lay_text()
        distortion.apply(scene)
    if not scene.laid:
        scene.lay_text()
    return Drawing(scene.image, as_read(scene.text), scene.owners, min(rows, len(scene.text)))
