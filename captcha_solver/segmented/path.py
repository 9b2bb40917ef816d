"""Turn a grey image into candidate glyphs on a graph of cuts, and their scores into the best reading."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.segmented.lattice import SegmentSettings, crop, find_lattice
from captcha_solver.types import Glyphs, Gray, Scores

__all__ = ["FREE", "Candidates", "Narrowing", "SegmentSettings", "best_chain", "best_path", "candidates", "ink_upto"]

_LOOKALIKES = 4  # classes that share a piece's probability, such as 0, O and o
_LEAST_SHARE = 1e-3
_LEAST_PROB = 1e-9


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What is known beforehand: the only ``classes`` there can be, and how many glyphs. ``None``: unknown."""

    classes: tuple[int, ...] | None = None
    min_glyphs: int | None = None
    max_glyphs: int | None = None


FREE = Narrowing()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pieces of an image that may be glyphs, N of them, on a graph of K + 1 cuts.

    ``glyphs`` holds their crops and boxes (image pixels); ``edges`` (N, 2) int32, the cuts each lies between;
    ``shares`` (K,) float32, the part of the image's ink in each interval between neighbouring cuts, sum 1;
    ``noise_prior`` as in the settings.
    """

    glyphs: Glyphs
    edges: NDArray[np.int32]
    shares: NDArray[np.float32]
    noise_prior: float

    def __len__(self) -> int:
        return len(self.edges)


def candidates(gray: Gray, settings: SegmentSettings) -> Candidates:
    """Over-segment ``gray`` (H, W) float32 0-1, ink = 1: cut generously, and propose every plausible union.

    The right pieces should be among many; which they are is for the network and ``best_path`` to say.
    """
    empty = np.zeros((0, settings.glyph_px, settings.glyph_px, 1), np.float32)
    lattice = find_lattice(gray, settings)
    if lattice is None:
        return Candidates(Glyphs(empty, []), np.zeros((0, 2), np.int32), np.zeros(0, np.float32), settings.noise_prior)
    cut = [(crop(lattice, edge, settings), edge) for edge in lattice.edges.tolist()]
    found = [(piece[0], piece[1], edge) for piece, edge in cut if piece is not None]
    pixels = np.stack([p for p, _, _ in found])[..., None] if found else empty
    return Candidates(
        Glyphs(pixels, [box for _, box, _ in found]),
        np.array([edge for _, _, edge in found], np.int32).reshape(-1, 2),
        lattice.shares,
        settings.noise_prior,
    )


def best_path(found: Candidates, log_probs: NDArray[np.float32], narrowing: Narrowing = FREE) -> Scores:
    """The best chain of candidates from the first cut to the last, given their ``log_probs`` (N, C).

    Each unit of ink has one explanation: it is part of a glyph, or it is noise. A chain's score is the mean
    log probability of the explanations over all ink, so chains of few and of many pieces compare fairly. A
    piece read as a glyph counts the probability of its likeliest few classes (o, O and 0 are no doubt about
    *where* a glyph is); a piece left out counts that of "nothing here" times the prior that ink is noise,
    without which the half glyphs, truly "not a glyph" each, would always win over the glyph they make up.

    ``narrowing`` rules out classes, and chains with too few or too many glyphs. Rows of the result are the chosen
    pieces, left to right, "nothing here" weighed with the same prior.
    """
    adjusted = _narrowed(log_probs.astype(np.float64), narrowing.classes)
    adjusted[:, 0] += np.log(found.noise_prior)
    best = np.sort(adjusted[:, 1:], axis=1)[:, -_LOOKALIKES:]
    glyphs = np.logaddexp.reduce(best, axis=1)
    chosen = None
    if narrowing.max_glyphs is not None:
        most = min(narrowing.max_glyphs, len(found.shares))
        chosen = best_chain(found, glyphs[:, None].repeat(most, 1), adjusted[:, 0], narrowing.min_glyphs)
    if chosen is None:  # as many as there are
        chosen = _dynamic_programming(found, np.maximum(glyphs, adjusted[:, 0]))
    rows = adjusted[chosen]
    rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
    spans = [(found.glyphs.boxes[i].left_px, found.glyphs.boxes[i].right_px) for i in chosen]
    return Scores(rows.astype(np.float32), np.array(spans, np.float32).reshape(-1, 2), collapse=False)


def _narrowed(log_probs: NDArray[np.float64], classes: Sequence[int] | None) -> NDArray[np.float64]:
    """``log_probs`` (N, C) with the classes that cannot be ruled out.

    What looks like one of those is an allowed glyph's twin, or a part of a glyph: half of its probability goes to
    each of the two, to the allowed classes in proportion.
    """
    if classes is None:
        return log_probs
    probs = np.exp(log_probs)
    kept = np.zeros(probs.shape[1], bool)
    kept[[0, *classes]] = True
    ruled_out = probs[:, ~kept].sum(axis=1)
    probs[:, ~kept] = 0.0
    glyph = probs[:, 1:].sum(axis=1, keepdims=True)
    probs[:, 1:] *= 1 + 0.5 * ruled_out[:, None] / np.maximum(glyph, _LEAST_PROB)
    probs[:, 0] += 0.5 * ruled_out
    narrowed: NDArray[np.float64] = np.log(np.maximum(probs / probs.sum(axis=1, keepdims=True), _LEAST_PROB))
    return narrowed


def best_chain(
    found: Candidates, glyphs: NDArray[np.float64], nothing: NDArray[np.float64], least: int | None = None
) -> list[int] | None:
    """The best chain of ``least`` to L glyphs (exactly L where it is ``None``); ``None`` where there is none.

    ``glyphs`` (N, L): log probability of each candidate as the first, second, ... glyph; ``nothing`` (N,): as noise.
    The score is ``best_path``'s. The result holds the pieces taken for glyphs.
    """
    if not len(found):
        return None
    length = glyphs.shape[1]
    upto = ink_upto(found)
    best = np.full((len(upto), length + 1), -np.inf)  # at each cut, with so many glyphs left of it
    best[0, 0] = 0.0
    arrived = np.full(best.shape, -1)  # the candidate that ends there, twice, and one more if it is a glyph
    skip = 2.0 * np.log(found.noise_prior)
    order = np.argsort(found.edges[:, 1], kind="stable").tolist()
    by_end = iter([*order, None])
    index = next(by_end)
    for end in range(1, len(upto)):
        best[end] = best[end - 1] + skip * (upto[end] - upto[end - 1])
        while index is not None and found.edges[index, 1] == end:
            start = int(found.edges[index, 0])
            ink = upto[end] - upto[start]
            as_noise = best[start] + nothing[index] * ink
            as_glyph = best[start, :-1] + glyphs[index] * ink
            better = as_noise > best[end]
            best[end][better], arrived[end][better] = as_noise[better], 2 * index
            better = as_glyph > best[end, 1:]
            best[end, 1:][better], arrived[end, 1:][better] = as_glyph[better], 2 * index + 1
            index = next(by_end)
    allowed = best[-1, length if least is None else least :]
    if not np.isfinite(allowed).any():
        return None
    return _way_back(found, arrived, length + 1 - len(allowed) + int(allowed.argmax()))


def _way_back(found: Candidates, arrived: NDArray[np.int64], count: int) -> list[int]:
    chosen: list[int] = []
    cut = len(arrived) - 1
    while cut > 0:
        came = int(arrived[cut, count])
        if came < 0:
            cut -= 1
            continue
        cut = int(found.edges[came // 2, 0])
        if came % 2:
            chosen.append(came // 2)
            count -= 1
    return chosen[::-1]


def ink_upto(found: Candidates) -> NDArray[np.float64]:
    """Share of the ink (K + 1,) left of each cut."""
    return np.concatenate([[0.0], np.cumsum(np.maximum(found.shares.astype(np.float64), _LEAST_SHARE))])


def _dynamic_programming(found: Candidates, values: NDArray[np.float64]) -> list[int]:
    """Candidates on the best way through the cuts; an interval may also be passed over as noise."""
    upto = ink_upto(found)
    best = np.full(len(upto), -np.inf)
    best[0] = 0.0
    arrived = np.full(len(upto), -1)
    skip = 2.0 * np.log(found.noise_prior)
    by_end: list[list[int]] = [[] for _ in upto]
    for index, (_, end) in enumerate(found.edges):
        by_end[end].append(index)
    for end in range(1, len(upto)):
        best[end] = best[end - 1] + skip * (upto[end] - upto[end - 1])
        for index in by_end[end]:
            start = found.edges[index, 0]
            score = best[start] + values[index] * (upto[end] - upto[start])
            if score > best[end]:
                best[end], arrived[end] = score, index
    chosen: list[int] = []
    at = len(upto) - 1
    while at > 0:
        index = int(arrived[at])
        at = at - 1 if index < 0 else int(found.edges[index, 0])
        chosen += [index] if index >= 0 else []
    return chosen[::-1]
