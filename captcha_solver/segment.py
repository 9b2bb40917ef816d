"""Turn a grey image into candidate glyphs on a graph of cuts, and their scores into the best reading."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.lattice import SegmentSettings, crop, find_lattice
from captcha_solver.types import Glyphs, Gray, Scores

__all__ = ["Candidates", "SegmentSettings", "best_path", "candidates"]

_LOOKALIKES = 4  # classes that share a piece's probability, such as 0, O and o
_LEAST_SHARE = 1e-3


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


def best_path(found: Candidates, log_probs: NDArray[np.float32]) -> Scores:
    """The best chain of candidates from the first cut to the last, given their ``log_probs`` (N, C).

    Each unit of ink has one explanation: it is part of a glyph, or it is noise. A chain's score is the mean
    log probability of the explanations over all ink, so chains of few and of many pieces compare fairly. A
    piece read as a glyph counts the probability of its likeliest few classes (o, O and 0 are no doubt about
    *where* a glyph is); a piece left out counts that of "nothing here" times the prior that ink is noise,
    without which the half glyphs, truly "not a glyph" each, would always win over the glyph they make up.

    Rows of the result are the chosen pieces, left to right, "nothing here" weighed with the same prior.
    """
    adjusted = log_probs.astype(np.float64)
    adjusted[:, 0] += np.log(found.noise_prior)
    best = np.sort(adjusted[:, 1:], axis=1)[:, -_LOOKALIKES:]
    values = np.maximum(np.logaddexp.reduce(best, axis=1), adjusted[:, 0])
    chosen = _dynamic_programming(found, values)
    rows = adjusted[chosen]
    rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
    spans = [(found.glyphs.boxes[i].left_px, found.glyphs.boxes[i].right_px) for i in chosen]
    return Scores(rows.astype(np.float32), np.array(spans, np.float32).reshape(-1, 2), collapse=False)


def _dynamic_programming(found: Candidates, values: NDArray[np.float64]) -> list[int]:
    """Candidates on the best way through the cuts; an interval may also be passed over as noise."""
    shares = np.maximum(found.shares.astype(np.float64), _LEAST_SHARE)
    upto = np.concatenate([[0.0], np.cumsum(shares)])
    best = np.full(len(upto), -np.inf)
    best[0] = 0.0
    arrived = np.full(len(upto), -1)
    skip = 2.0 * np.log(found.noise_prior)
    by_end: list[list[int]] = [[] for _ in upto]
    for index, (_, end) in enumerate(found.edges):
        by_end[end].append(index)
    for end in range(1, len(upto)):
        best[end] = best[end - 1] + skip * shares[end - 1]
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
