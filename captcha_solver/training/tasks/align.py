"""Forced alignment: where each character of a labelled image is, so that the segmented route learns from folders.

The image's text is known, its glyphs' places are not. The network as it is so far scores every candidate piece, and
the best chain of pieces that spells the text says where each character stands (the alignment step of Viterbi
training: Juang and Rabiner 1990, "The segmental K-means algorithm").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING, Charset
from captcha_solver.errors import BundleError, ImageError
from captcha_solver.image import read_image
from captcha_solver.recognizers import Segmented, load_recognizer
from captcha_solver.segmented.path import Candidates, best_chain, ink_upto
from captcha_solver.symbols import left_to_right
from captcha_solver.training.sources import folder_samples

UNSURE = -1
"""Label of a candidate that is neither a glyph nor clearly not one; it is left out."""

_SAME, _OTHER = 0.85, 0.55  # share of ink in common with a glyph, from which a candidate is it, below which it is none
_DOUBTFUL = 0.1  # probability of a character below which its place is in doubt
_DOUBTFUL_SHARE = 0.34  # of the characters; an image with more of them teaches nothing
_UNUSUAL = 2.2  # times the median ink of the glyphs, or under one such part: where in doubt, it is no whole glyph
_JUNK_AN_IMAGE = 8
_KEPT_IMAGES = 20_000  # whose crops stay in memory, about 15 KB each

Crops = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Crops (N, G, G) uint8 0-255 and their class ids (N,)."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Crops of a labelled folder's images, cut with the help of the segmented bundle at ``aligner``.

    They are named by their class ids in ``charset``, which may have characters that the bundle does not know.
    """

    spec: str
    labels: int | None
    aligner: Path
    charset: Charset

    def crops(self, rng: np.random.Generator, *, heldout: bool) -> Crops:
        """Those of one random image: of the training part, or of the held-out part. None, of an unreadable one."""
        count = len(folder_samples(self.spec, self.labels)[heldout])
        return _crops(self, heldout, int(rng.integers(count)))


@lru_cache(maxsize=_KEPT_IMAGES)
def _crops(folder: Folder, heldout: bool, index: int) -> Crops:
    sample = folder_samples(folder.spec, folder.labels)[heldout][index]
    reader = _reader(folder.aligner)
    try:
        image = read_image(sample.image)
    except ImageError:
        return _chosen(None, np.zeros(0, np.int32), index)
    found, log_probs = reader.pieces([image])[0]
    ids = folder.charset.encode(sample.text)
    return _chosen(found, label_pieces(found, spelt(log_probs, sample.text, reader.charset), log_probs, ids), index)


@lru_cache(maxsize=2)
def _reader(path: Path) -> Segmented:
    reader = load_recognizer(path)
    if not isinstance(reader, Segmented):
        raise BundleError(f"expected a segmented bundle to align folders with, received {path}")
    return reader


def _chosen(found: Candidates | None, labels: NDArray[np.int32], seed: int) -> Crops:
    """All glyphs, and some of the junk: always the same of the same image."""
    if found is None or not len(labels):
        return np.zeros((0, 1, 1), np.uint8), np.zeros(0, np.int32)
    junk = np.random.default_rng(seed).permutation(np.flatnonzero(labels == NOTHING))[:_JUNK_AN_IMAGE]
    kept = np.concatenate([np.flatnonzero(labels > NOTHING), junk])
    return np.rint(found.glyphs.pixels[kept, :, :, 0] * 255).astype(np.uint8), labels[kept]


def label_pieces(
    found: Candidates, likely: NDArray[np.float64], log_probs: NDArray[np.float32], ids: Sequence[int]
) -> NDArray[np.int32]:
    """Class ids (N,) of an image's candidates, given those of its text, ``ids``, from left to right.

    ``likely`` (N, L): see ``spelt``. ``log_probs`` (N, C): what the candidates look like.

    A candidate that shares most of its ink with an aligned glyph is that glyph; one that shares little with any is
    "not a glyph"; the rest, and every candidate of an image whose alignment is in doubt, is ``UNSURE``.
    """
    unsure = np.full(len(found), UNSURE, np.int32)
    chosen = best_chain(found, likely, log_probs[:, NOTHING] + np.log(found.noise_prior))
    if chosen is None:
        return unsure
    glyphs = found.edges[chosen]
    upto = ink_upto(found)
    ink = upto[glyphs[:, 1]] - upto[glyphs[:, 0]]
    usual = np.abs(np.log(ink / np.median(ink))) < np.log(_UNUSUAL)
    doubtful = likely[chosen, np.arange(len(chosen))] < np.log(_DOUBTFUL)
    if doubtful.mean() > _DOUBTFUL_SHARE or not usual[doubtful].all():
        return unsure
    shared = _shared_ink(found, glyphs)
    labels = np.where(shared.max(axis=1) < _OTHER, NOTHING, unsure)
    best = shared.argmax(axis=1)
    same = shared[np.arange(len(found)), best] >= _SAME
    labels[same] = np.array(ids, np.int32)[best[same]]
    return np.asarray(labels, np.int32)


def spelt(log_probs: NDArray[np.float32], text: str, charset: Charset) -> NDArray[np.float64]:
    """Log-probability (N, L) of each character of ``text``, left to right, for each candidate.

    Its two cases count as one. One that ``charset`` lacks is as likely as that there is a glyph at all.
    """
    columns = []
    for char in left_to_right(text):
        cases = [i for i, symbol in enumerate(charset.characters, 1) if symbol.lower() == char.lower()]
        columns.append(np.logaddexp.reduce(log_probs[:, cases or slice(1, None)].astype(np.float64), axis=1))
    return np.stack(columns, axis=1)


def _shared_ink(found: Candidates, glyphs: NDArray[np.int32]) -> NDArray[np.float64]:
    """Intersection over union (N, L), in ink, of each candidate and each aligned glyph (L, 2) of cuts."""
    upto = ink_upto(found)
    first = np.maximum(found.edges[:, None, 0], glyphs[None, :, 0])
    last = np.minimum(found.edges[:, None, 1], glyphs[None, :, 1])
    common = np.where(last > first, upto[last] - upto[first], 0.0)
    mine = (upto[found.edges[:, 1]] - upto[found.edges[:, 0]])[:, None]
    theirs = (upto[glyphs[:, 1]] - upto[glyphs[:, 0]])[None, :]
    return np.asarray(common / np.maximum(mine + theirs - common, 1e-9), np.float64)
