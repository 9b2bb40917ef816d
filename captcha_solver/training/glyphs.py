"""Train the glyph network: designs in, crops cut by the segmenter itself and labelled by which glyph owns them out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING, Charset, parse_charset
from captcha_solver.designs.design import Design
from captcha_solver.designs.draw import Drawing, draw
from captcha_solver.designs.load import load_design
from captcha_solver.errors import OptionError
from captcha_solver.lattice import Lattice, crop, find_lattice
from captcha_solver.preprocess import to_gray
from captcha_solver.segment import SegmentSettings
from captcha_solver.training.fragments import font_crop, junk_crop
from captcha_solver.training.workers import stream

UNSURE = -1
"""Label of a candidate that is neither a glyph nor clearly not one; it is left out."""

_FAIR, _POOR = 0.55, 0.45  # fits (0-1) below which no candidate is a glyph, and below which each is junk
_AS_GOOD, _MUCH_WORSE = 0.1, 0.3  # how far from the best fit there is a candidate is still a glyph, is surely none
_FEWEST_PIXELS = 12  # of a glyph that can be seen at all
_FROM_FONTS = 0.3  # part of a batch drawn straight from fonts
_JUNK = 0.38  # part of a batch that is "not a glyph"
_HELDOUT_SEED = 7_700_000


@dataclass(frozen=True, slots=True)
class MakeGlyphs:
    """Draws one batch of ``n`` crops: x (n, G, G, 1) uint8 0-255, y (n,) int32 class ids."""

    designs: tuple[str, ...]
    symbols: str
    settings: SegmentSettings
    n: int = 256

    def __call__(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        charset = Charset(self.symbols)
        junk, glyphs = [], []
        wanted_junk = round(_JUNK * self.n)
        wanted_glyphs = self.n - wanted_junk
        for _ in range(round(_FROM_FONTS * wanted_junk)):
            junk.append(junk_crop(rng, self.symbols, self.settings.glyph_px))
        for _ in range(round(_FROM_FONTS * wanted_glyphs)):
            label = int(rng.integers(1, charset.classes))
            glyphs.append((font_crop(rng, self.symbols[label - 1], self.settings.glyph_px), label))
        for _ in range(20 * self.n):  # images; a few hundred at most are needed
            if len(junk) >= wanted_junk and len(glyphs) >= wanted_glyphs:
                break
            design = _design(self.designs[int(rng.integers(len(self.designs)))])
            cut = image_crops(rng, design, charset, self.settings)
            glyphs += [(pixels, name) for pixels, name in cut if name != NOTHING]
            junk += [pixels for pixels, name in cut if name == NOTHING]
        chosen = [(pixels, NOTHING) for pixels in junk[:wanted_junk]] + glyphs[:wanted_glyphs]
        order = rng.permutation(len(chosen))
        x = np.stack([chosen[i][0] for i in order])[..., None]
        return np.rint(x * 255).astype(np.uint8), np.array([chosen[i][1] for i in order], np.int32)


def image_crops(
    rng: np.random.Generator, design: Design, charset: Charset, settings: SegmentSettings
) -> list[tuple[NDArray[np.float32], int]]:
    """Crops (G, G) float32 0-1 and labels of one drawn image: some of its glyphs, and some of its junk."""
    drawing = draw(design, None, rng, owners=True)
    lattice = find_lattice(to_gray(drawing.image, settings), settings)
    if lattice is None:
        return []
    labels = label(lattice, drawing, charset)
    size = len(drawing.text)
    junk = rng.permutation(np.flatnonzero(labels == NOTHING))[: 2 + size]
    glyphs = rng.permutation(np.flatnonzero(labels > NOTHING))[: 2 * size]
    chosen = np.concatenate([junk, glyphs])
    cut = [(crop(lattice, lattice.edges[i], settings), int(labels[i])) for i in chosen]
    return [(piece[0], name) for piece, name in cut if piece is not None]


def label(lattice: Lattice, drawing: Drawing, charset: Charset) -> NDArray[np.int32]:
    """Class ids (N,) of a lattice's candidates: a glyph's, 0 "not a glyph", or ``UNSURE``.

    How well a candidate fits a glyph is the intersection over union of their pixels, pixels of no glyph left
    aside. The candidates that fit a glyph about as well as any does are that glyph (where glyphs overlap, the best
    is not good); those that fit every glyph much worse than others do are not a glyph; the rest is left out.
    """
    held = overlap(lattice, drawing)
    visible = _visible(drawing)
    fit = held / np.maximum(visible + held.sum(axis=1, keepdims=True) - held, 1)
    possible = fit.max(axis=0, initial=0.0)
    best = fit.argmax(axis=1)
    rows = np.arange(len(fit))
    reached = fit[rows, best]
    ids = np.array([charset.encode(c)[0] if c in charset.symbols else UNSURE for c in drawing.text], np.int32)
    labels = np.full(len(fit), UNSURE, np.int32)
    labels[(fit < np.maximum(possible - _MUCH_WORSE, _POOR)).all(axis=1)] = NOTHING
    sure = (reached >= np.maximum(possible[best] - _AS_GOOD, _FAIR)) & (visible[best] >= _FEWEST_PIXELS)
    labels[sure] = ids[best[sure]]
    return labels


def overlap(lattice: Lattice, drawing: Drawing) -> NDArray[np.int64]:
    """Pixels (N, L) that each candidate has of each glyph of the drawing."""
    assert drawing.owners is not None
    count, glyphs = len(lattice.shares), len(drawing.text)
    pieces = cv2.resize(lattice.pieces, drawing.owners.shape[::-1], interpolation=cv2.INTER_NEAREST)
    inside = pieces >= 0
    cells = pieces[inside].astype(np.int64) * (glyphs + 1) + drawing.owners[inside]
    counts = np.bincount(cells, minlength=count * (glyphs + 1)).reshape(count, glyphs + 1)[:, 1:]
    upto = np.concatenate([np.zeros((1, glyphs), np.int64), np.cumsum(counts, axis=0)])
    return np.asarray(upto[lattice.edges[:, 1]] - upto[lattice.edges[:, 0]])


def _visible(drawing: Drawing) -> NDArray[np.int64]:
    """Pixels (L,) of each glyph in the image."""
    assert drawing.owners is not None
    return np.bincount(drawing.owners.ravel(), minlength=len(drawing.text) + 1)[1 : len(drawing.text) + 1]


@lru_cache(maxsize=64)
def _design(name: str) -> Design:
    return load_design(name)


@dataclass(slots=True)
class GlyphTask:
    """The segmented route's task: a batch of crops, and which glyph (or none) each one is."""

    designs: Sequence[str]
    charset: Charset = field(default_factory=lambda: parse_charset("alnum"))
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    batch: int = 256
    workers: int = 1
    kind: str = "segmented"

    def __post_init__(self) -> None:
        drawn = [name for name in self.designs if _design(name).command is None]
        if not drawn or len(drawn) < len(self.designs):
            raise OptionError(
                "the segmented route learns from designs drawn here, which know where each glyph is; "
                f"received {', '.join(sorted(set(self.designs) - set(drawn))) or 'none'}"
            )

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.segment)

    @property
    def data(self) -> Mapping[str, Any]:
        return {"designs": list(self.designs), "batch": self.batch, "junk": _JUNK, "from_fonts": _FROM_FONTS}

    def build(self) -> Any:
        from captcha_solver.models.glyph import build_glyph

        return build_glyph(self.charset.classes, self.segment.glyph_px)

    def loss(self) -> Any:
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def batches(self, seed: int, start: int) -> Iterator[tuple[NDArray[Any], NDArray[np.int32]]]:
        return stream(self._maker(), workers=self.workers, seed=seed, start=start)

    def heldout(self) -> Sequence[tuple[NDArray[Any], NDArray[np.int32]]]:
        return [self._maker()(np.random.default_rng([_HELDOUT_SEED, k])) for k in range(8)]

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        """Share of the crops told right, letters of one shape in both cases taken as one."""
        folded = np.array([NOTHING, *[self.charset.symbols.lower().index(c) + 1 for c in self.charset.symbols.lower()]])
        return float((folded[logits.argmax(axis=-1)] == folded[labels]).mean())

    def _maker(self) -> MakeGlyphs:
        return MakeGlyphs(tuple(self.designs), self.charset.symbols, self.segment, self.batch)
