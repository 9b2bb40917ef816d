"""The task of the glyph network: crops that the segmenter cuts out of drawings, labelled by whose ink they hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NAMED, NOTHING, Charset, parse_charset
from captcha_solver.designs.drawing.draw import Drawing, draw_batch
from captcha_solver.models.bundle import Bundle, load_bundle
from captcha_solver.models.relabel import keep_rows, with_classes
from captcha_solver.models.runtimes import load_keras
from captcha_solver.recognizers import bundle_path, read_settings
from captcha_solver.segmented.gray import to_gray
from captcha_solver.segmented.lattice import Lattice, crop, find_lattice
from captcha_solver.segmented.path import SegmentSettings
from captcha_solver.symbols import characters, left_to_right
from captcha_solver.training.sources import Mixture, cached_design, charset_for, parse_source
from captcha_solver.training.tasks.align import UNSURE, Folder
from captcha_solver.training.tasks.fragments import faces_with, font_crop, junk_crop
from captcha_solver.training.workers import stream

ALIGNER = "segmented"
"""The shipped bundle that says where a folder's glyphs are, where no other is started from."""

_FAIR, _POOR = 0.55, 0.45  # fits (0-1) below which no candidate is a glyph, and below which each is junk
_AS_GOOD = 0.1  # how far from the best fit there is a candidate is still that glyph
_MUCH_WORSE = 0.3  # how far from it a candidate is surely none
_CLEAR = 0.45  # part of a candidate's ink that its glyph must be
_FIRM = 0.3  # ink that counts, 0-1
_FEWEST_PIXELS = 12  # of a glyph that can be seen at all
_FROM_FONTS = 0.3  # part of a batch drawn straight from fonts
_JUNK = 0.38  # part of a batch that is "not a glyph"
_IMAGES = 4  # drawn at a time of one design
_COPIES = 2  # times each crop is used in its batch: as it is, and varied; cutting an image costs more than a step
_HELDOUT_SEED = 7_700_000  # no training seed draws from this stream
_HELDOUT_CROPS, _HELDOUT_BATCHES = 4096, 8

GlyphBatch: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class MakeGlyphs:
    """Draws one batch of ``n`` crops: x (n, G, G, 1) uint8 0-255, y (n,) int32 class ids."""

    mixture: Mixture
    settings: SegmentSettings
    n: int = 256
    aligner: Path = field(default_factory=lambda: bundle_path(ALIGNER))  # needed for folders alone
    heldout: bool = False

    def __call__(self, rng: np.random.Generator) -> GlyphBatch:
        charset, side = self.mixture.charset, self.settings.glyph_px
        drawable = [i for i, char in enumerate(charset.characters, 1) if faces_with(char)]
        symbols = [charset.characters[i - 1] for i in drawable] or list(NAMED["alnum"])
        weights = np.array([source.weight for source in self.mixture.sources])
        fresh = -(-self.n // _COPIES)
        wanted_junk = round(_JUNK * fresh)
        wanted_glyphs = fresh - wanted_junk
        junk = [junk_crop(rng, symbols, side) for _ in range(round(_FROM_FONTS * wanted_junk))]
        chosen_ids = rng.integers(len(drawable), size=round(_FROM_FONTS * wanted_glyphs)).tolist() if drawable else []
        glyphs = [(font_crop(rng, charset.characters[drawable[i] - 1], side), drawable[i]) for i in chosen_ids]
        for _ in range(20 * self.n):  # images; a few hundred at most are needed
            if len(junk) >= wanted_junk and len(glyphs) >= wanted_glyphs:
                break
            source = self.mixture.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
            cut = self._from_folder(source.spec, rng) if source.is_folder else self._from_design(source.spec, rng)
            glyphs += [(pixels, name) for pixels, name in cut if name != NOTHING]
            junk += [pixels for pixels, name in cut if name == NOTHING]
        chosen = [(pixels, NOTHING) for pixels in junk[:wanted_junk]] + glyphs[:wanted_glyphs]
        copies = [(varied(rng, pixels), name) for pixels, name in chosen * (_COPIES - 1)]
        chosen = (chosen + copies)[: self.n]
        order = rng.permutation(len(chosen))
        x = np.stack([chosen[i][0] for i in order])[..., None]
        return np.rint(x * 255).astype(np.uint8), np.array([chosen[i][1] for i in order], np.int32)

    def _from_design(self, spec: str, rng: np.random.Generator) -> list[tuple[NDArray[np.float32], int]]:
        drawings = draw_batch(cached_design(spec), [None] * _IMAGES, rng, owners=True)
        charset, settings = self.mixture.charset, self.settings
        return [pair for drawing in drawings for pair in image_crops(rng, drawing, charset, settings)]

    def _from_folder(self, spec: str, rng: np.random.Generator) -> list[tuple[NDArray[np.float32], int]]:
        folder = Folder(spec, self.mixture.labels, self.aligner, self.mixture.charset)
        cuts = [folder.crops(rng, heldout=self.heldout) for _ in range(_IMAGES)]
        pairs = [(c, name) for crops, names in cuts for c, name in zip(crops, names.tolist(), strict=True)]
        return [(c.astype(np.float32) / np.float32(255), name) for c, name in pairs]


def varied(rng: np.random.Generator, crop_: NDArray[np.float32]) -> NDArray[np.float32]:
    """The crop (G, G) float32 0-1, turned, leant, scaled and moved a little, fainter or stronger."""
    side = crop_.shape[0]
    turn, lean, wide, high = rng.normal(0, 1, 4) * (0.07, 0.07, 0.05, 0.05)
    linear = np.array([[1 + wide, lean - turn], [turn, 1 + high]])
    middle = np.full(2, (side - 1) / 2)
    move = rng.normal(0, 0.02 * side, 2)
    matrix = np.hstack([linear, (middle - linear @ middle + move)[:, None]])
    moved = np.asarray(cv2.warpAffine(crop_, matrix, (side, side)), np.float32)
    toned: NDArray[np.float32] = np.clip(moved * np.float32(rng.uniform(0.75, 1.2)), 0, 1)
    return toned


def image_crops(
    rng: np.random.Generator, drawing: Drawing, charset: Charset, settings: SegmentSettings
) -> list[tuple[NDArray[np.float32], int]]:
    """Crops (G, G) float32 0-1 and labels of one image: up to twice as many as it has glyphs, and junk."""
    lattice = find_lattice(to_gray(drawing.image, settings), settings)
    if lattice is None:
        return []
    labels = label(lattice, drawing, charset)
    size = len(characters(drawing.text))
    junk = rng.permutation(np.flatnonzero(labels == NOTHING))[: size + size // 2]
    glyphs = rng.permutation(np.flatnonzero(labels > NOTHING))[: 2 * size]
    chosen = np.concatenate([junk, glyphs])
    cut = [(crop(lattice, lattice.edges[i], settings), int(labels[i])) for i in chosen]
    return [(piece[0], name) for piece, name in cut if piece is not None]


def label(lattice: Lattice, drawing: Drawing, charset: Charset) -> NDArray[np.int32]:
    """Class ids (N,) of a lattice's candidates: a glyph's, 0 "not a glyph", or ``UNSURE``.

    How well a candidate fits a glyph is the intersection over union of their pixels, pixels of no glyph
    left aside. The candidates that fit a glyph about as well as any does are that glyph (where glyphs
    overlap, the best is not good); those that fit every glyph much worse than others do are not a glyph;
    the rest is left out.
    """
    held, ink = overlap(lattice, drawing)
    visible = _visible(drawing)
    fit = held / np.maximum(visible + held.sum(axis=1, keepdims=True) - held, 1)
    possible = fit.max(axis=0, initial=0.0)
    best = fit.argmax(axis=1)
    rows = np.arange(len(fit))
    reached = fit[rows, best]
    ids = np.array([next(iter(charset.ids_of(c)), UNSURE) for c in left_to_right(drawing.text)], np.int32)
    labels = np.full(len(fit), UNSURE, np.int32)
    labels[(fit < np.maximum(possible - _MUCH_WORSE, _POOR)).all(axis=1)] = NOTHING
    sure = (reached >= np.maximum(possible[best] - _AS_GOOD, _FAIR)) & (visible[best] >= _FEWEST_PIXELS)
    sure &= held[rows, best] >= _CLEAR * ink
    labels[sure] = ids[best[sure]]
    return labels


def overlap(lattice: Lattice, drawing: Drawing) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels that each candidate has of each glyph of the drawing (N, L), and of any ink (N,)."""
    assert drawing.owners is not None
    count, glyphs = len(lattice.shares), len(characters(drawing.text))
    firm = np.where(lattice.ink.gray > _FIRM, lattice.pieces, np.int16(-1))
    pieces = cv2.resize(firm, drawing.owners.shape[::-1], interpolation=cv2.INTER_NEAREST)
    inside = pieces >= 0
    cells = pieces[inside].astype(np.int64) * (glyphs + 1) + drawing.owners[inside]
    counts = np.bincount(cells, minlength=count * (glyphs + 1)).reshape(count, glyphs + 1)
    upto = np.concatenate([np.zeros((1, glyphs + 1), np.int64), np.cumsum(counts, axis=0)])
    held = upto[lattice.edges[:, 1]] - upto[lattice.edges[:, 0]]
    return held[:, 1:], held.sum(axis=1)


def _visible(drawing: Drawing) -> NDArray[np.int64]:
    """Pixels (L,) of each glyph in the image."""
    assert drawing.owners is not None
    glyphs = len(characters(drawing.text))
    return np.bincount(drawing.owners.ravel(), minlength=glyphs + 1)[1 : glyphs + 1]


@dataclass(slots=True)
class GlyphTask:
    """The segmented route's task: a batch of crops, and which glyph (or none) each one is.

    ``sources`` are designs and folders, ``NAME`` or ``NAME:WEIGHT``. A design's drawings know where each glyph is;
    in a folder's images ``aligner``, a segmented bundle, finds them (``training/align.py``).
    """

    sources: Sequence[str]
    labels: int | None = None
    charset: Charset = field(default_factory=lambda: parse_charset("alnum"))
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    aligner: Path = field(default_factory=lambda: bundle_path(ALIGNER))
    batch: int = 256
    workers: int = 1
    kind: str = "segmented"
    start: Bundle | None = None

    def __post_init__(self) -> None:
        self._mixture().check()

    @classmethod
    def from_sources(
        cls,
        sources: Sequence[str],
        *,
        labels: int | None,
        batch: int,
        workers: int,
        start: Bundle | None = None,
        charset: str | None = None,
    ) -> "GlyphTask":
        """A task over sources as on the command line. With ``start``, its characters, settings and eye are kept."""
        chosen = charset_for([parse_source(each) for each in sources], labels, charset, start)
        if start is None or start.kind != "segmented":  # the training loop says what is wrong with the kind
            return cls(sources, labels, chosen, batch=batch, workers=workers)
        settings = read_settings(start, SegmentSettings)
        return cls(sources, labels, chosen, settings, start.path, batch=batch, workers=workers, start=start)

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.segment)

    @property
    def data(self) -> Mapping[str, Any]:
        mixture = self._mixture()
        told: dict[str, Any] = {
            "sources": mixture.describe(),
            "labels": self.labels,
            "junk": _JUNK,
            "from_fonts": _FROM_FONTS,
        }
        if any(source.is_folder for source in mixture.sources):
            told["aligned_with"] = load_bundle(self.aligner).sha256
        return told

    def build(self) -> Any:
        from captcha_solver.models.glyph import build_glyph

        if self.start is None:
            return build_glyph(self.charset.classes, self.segment.glyph_px)
        known = load_keras(self.start)
        model = with_classes(known, self.charset.classes)
        keep_rows(model, self.charset, known, self.start.charset)
        return model

    def loss(self) -> Any:
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def batches(self, seed: int, start: int) -> Iterator[GlyphBatch]:
        make = MakeGlyphs(self._mixture(), self.segment, self.batch, self.aligner)
        return stream(make, workers=self.workers, seed=seed, start=start)

    def heldout(self) -> Sequence[GlyphBatch]:
        size = _HELDOUT_CROPS // _HELDOUT_BATCHES
        make = MakeGlyphs(self._mixture(), self.segment, size, self.aligner, heldout=True)
        return [make(np.random.default_rng([_HELDOUT_SEED, k])) for k in range(_HELDOUT_BATCHES)]

    def proof(self) -> Sequence[GlyphBatch]:
        return self.heldout()

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        """Share of the crops told right; the two cases of a letter count as one, many have the same shape."""
        lower = [char.lower() for char in self.charset.characters]
        folded = np.array([NOTHING, *[lower.index(char) + 1 for char in lower]])
        return float((folded[logits.argmax(axis=-1)] == folded[labels]).mean())

    def _mixture(self) -> Mixture:
        return Mixture(tuple(parse_source(source) for source in self.sources), self.charset, self.labels)
