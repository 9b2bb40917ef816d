"""Find the most probable text of a given length in CTC log-probabilities, and the rows of each character."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING

LogProbs = NDArray[np.float64]
Text = tuple[int, ...]

WIDTH = 8  # prefixes kept for each length
CANDIDATES = 12  # characters tried at a row, at most
FAINT = math.log(1e-4)  # a character below this is tried only if it is the row's best
ZERO = -math.inf


def best_text(log_probs: LogProbs, min_length: int, max_length: int | None, *, width: int = WIDTH) -> Text:
    """Class ids of the most probable text of ``min_length..max_length`` characters; ``()`` where none fits.

    ``log_probs`` is (T, C) with finite entries, class 0 the blank. CTC prefix beam search (Hannun et al.
    2014) with one difference: the ``width`` best prefixes are kept *for each length*, so a length that is
    unlikely but asked for is never crowded out.
    """
    steps = len(log_probs)
    longest = steps if max_length is None else min(max_length, steps)
    beams: dict[Text, tuple[float, float]] = {
        (): (0.0, ZERO)
    }  # prefix -> log p ending in blank, in its last character
    crowded = 2 * min_length - 1 > steps
    for step, row in enumerate(log_probs):
        grown = _grow(beams, row.tolist(), _candidates(row, crowded), longest)
        beams = _kept(grown, min_length - (steps - step - 1), width)
    finished = {text: _either(*ends) for text, ends in beams.items() if len(text) >= min_length}
    return max(finished, key=lambda text: finished[text], default=())


def align(log_probs: LogProbs, text: Sequence[int]) -> list[tuple[int, int, int]]:
    """Where each character of ``text`` lies on its best path: (class id, first row, row after the last).

    Viterbi over blank, c1, blank, c2, ..., blank. ``text`` must fit in the T rows of ``log_probs`` (T, C).
    """
    if not text:
        return []
    states = [NOTHING]
    for char in text:
        states += [char, NOTHING]
    path = _viterbi(log_probs[:, states], np.array(states))
    pieces = []
    for index, char in enumerate(text):
        rows = np.flatnonzero(path == 2 * index + 1)
        pieces.append((char, int(rows[0]), int(rows[-1]) + 1))
    return pieces


def _candidates(row: LogProbs, crowded: bool) -> list[int]:
    """Classes worth trying at this row; all of the strongest where the text hardly fits in the rows."""
    best = np.argsort(-row[1:], kind="stable")[:CANDIDATES] + 1
    return [int(c) for rank, c in enumerate(best) if crowded or rank == 0 or row[c] > FAINT]


def _grow(
    beams: dict[Text, tuple[float, float]], row: list[float], candidates: list[int], longest: int
) -> dict[Text, tuple[float, float]]:
    """Every prefix after one more row: the same (blank, or its last character held), or one longer."""
    grown: dict[Text, tuple[float, float]] = {}
    for text, (blank, held) in beams.items():
        either = _either(blank, held)
        last = text[-1] if text else NOTHING
        stay_held = held + row[last] if text else ZERO
        _add(grown, text, either + row[NOTHING], stay_held)
        if len(text) == longest:
            continue
        for char in candidates:
            _add(grown, (*text, char), ZERO, (blank if char == last else either) + row[char])
    return grown


def _add(beams: dict[Text, tuple[float, float]], text: Text, blank: float, held: float) -> None:
    if text in beams:
        old_blank, old_held = beams[text]
        blank, held = _either(old_blank, blank), _either(old_held, held)
    beams[text] = (blank, held)


def _kept(
    beams: dict[Text, tuple[float, float]], shortest: int, width: int
) -> dict[Text, tuple[float, float]]:
    """The ``width`` best prefixes of each length that can still grow long enough."""
    lengths: dict[int, list[tuple[float, Text]]] = {}
    for text, ends in beams.items():
        if len(text) >= shortest:
            lengths.setdefault(len(text), []).append((_either(*ends), text))
    kept = (pair for pairs in lengths.values() for pair in sorted(pairs, reverse=True)[:width])
    return {text: beams[text] for score, text in kept if score > ZERO}


def _either(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == ZERO else high + math.log1p(math.exp(low - high))


def _viterbi(emissions: LogProbs, states: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best state for each of T rows, given (T, S) emissions of the S states of a CTC text."""
    skips = np.zeros(len(states), dtype=bool)
    skips[3::2] = states[3::2] != states[1:-2:2]  # a blank may be left out between different characters
    score = np.full(len(states), ZERO)
    score[:2] = emissions[0, :2]
    came_from = np.zeros(emissions.shape, dtype=np.int64)
    for step in range(1, len(emissions)):
        options = np.full((3, len(states)), ZERO)
        options[0] = score
        options[1, 1:] = score[:-1]
        options[2, 2:] = np.where(skips[2:], score[:-2], ZERO)
        came_from[step] = options.argmax(axis=0)
        score = options.max(axis=0) + emissions[step]
    path = np.empty(len(emissions), dtype=np.int64)
    path[-1] = len(states) - 1 - int(score[-1] < score[-2])
    for step in range(len(emissions) - 1, 0, -1):
        path[step - 1] = path[step] - came_from[step, path[step]]
    return path
