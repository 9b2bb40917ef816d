"""Find the most probable text of a given length in CTC log-probabilities, and the rows of each character.

Tested in ``tests/decoding/test_decode.py``.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING
from captcha_solver.decoding.candidates import log_likelihoods

LogProbs = NDArray[np.float64]
Text = tuple[int, ...]
Beams = dict[Text, tuple[float, float]]  # prefix -> log p ending in a blank, log p ending in its last character

WIDTH = 8  # prefixes kept for each length
CANDIDATES = 12  # characters tried at a row, at most
FAINT = math.log(1e-3)  # a character below this is not tried
ZERO = -math.inf


def best_text(log_probs: LogProbs, min_length: int, max_length: int | None, *, width: int = WIDTH) -> Text:
    """Class ids of the most probable text of ``min_length..max_length`` characters; ``()`` where none fits.

    ``log_probs`` is (T, C) with finite entries, class 0 the blank. CTC prefix beam search (Hannun et al.
    2014), the ``width`` best prefixes kept *for each length*, so that a length that is unlikely but asked for
    is not crowded out. A beam may forget early which characters had better be left out; the best single
    alignment, found exactly, does not: of the two texts the more probable one is taken.
    """
    longest = len(log_probs) if max_length is None else min(max_length, len(log_probs))
    found = [search(log_probs, min_length, longest, width), best_alignment(log_probs, min_length, longest)]
    return max((text for text in found if text), key=lambda text: log_likelihood(log_probs, text), default=())


def search(log_probs: LogProbs, min_length: int, longest: int, width: int) -> Text:
    """Prefix beam search alone; see ``best_text``."""
    beams: Beams = {(): (0.0, ZERO)}
    for step, row in enumerate(log_probs):
        grown = _grow(beams, row.tolist(), _candidates(row), longest)
        beams = _kept(grown, min_length - (len(log_probs) - step - 1), width)
    finished = {text: _either(*ends) for text, ends in beams.items() if len(text) >= min_length}
    return max(finished, key=lambda text: finished[text], default=())


def log_likelihood(log_probs: LogProbs, text: Sequence[int]) -> float:
    """log p(``text``) summed over all its alignments (see ``log_likelihoods``)."""
    return float(log_likelihoods(log_probs, [text])[0])


def align(log_probs: LogProbs, text: Sequence[int]) -> list[tuple[int, int, int]]:
    """Where each character of ``text`` lies on its best path: (class id, first row, row after the last).

    Viterbi over blank, c1, blank, c2, ..., blank. ``text`` must fit in the T rows of ``log_probs`` (T, C).
    """
    if not text:
        return []
    states = _states(text)
    path = _viterbi(log_probs[:, states], _skips(states))
    pieces = []
    for index, char in enumerate(text):
        rows = np.flatnonzero(path == 2 * index + 1)
        pieces.append((char, int(rows[0]), int(rows[-1]) + 1))
    return pieces


def _states(text: Sequence[int]) -> NDArray[np.int64]:
    """Blank, c1, blank, c2, ..., blank."""
    states = np.full(2 * len(text) + 1, NOTHING, dtype=np.int64)
    states[1::2] = text
    return states


def _skips(states: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which states may be reached from the last but one: unlike characters need no blank between them."""
    skips = np.zeros(len(states), dtype=np.bool_)
    skips[3::2] = states[3::2] != states[1:-2:2]
    return skips


def _candidates(row: LogProbs) -> list[int]:
    """Classes worth trying at this row."""
    best = np.argsort(-row[1:], kind="stable")[:CANDIDATES] + 1
    return [int(c) for c in best if row[c] > FAINT]


def best_alignment(log_probs: LogProbs, min_length: int, longest: int) -> Text:
    """The text of the best single path that emits ``min_length..longest`` characters: exact, by Viterbi.

    ``score[l, c]``: best path so far with l characters that now stands on class c.
    """
    if longest < min_length:
        return ()
    classes = log_probs.shape[1]
    score = np.full((longest + 1, classes), ZERO)
    score[0, NOTHING] = 0.0
    came_from = np.empty((len(log_probs), longest + 1, classes), dtype=np.int64)  # the class before
    for step, row in enumerate(log_probs):
        before = came_from[step]
        best = score.argmax(axis=1)
        rest = score.copy()
        rest[np.arange(longest + 1), best] = ZERO
        before[1:] = best[:-1, None]
        before[np.arange(1, longest + 1), best[:-1]] = rest.argmax(axis=1)[:-1]
        grown = np.full_like(score, ZERO)
        grown[1:] = np.take_along_axis(score[:-1], before[1:], axis=1)
        held = score >= grown  # a path that stays on its class emits nothing new
        before[held] = np.broadcast_to(np.arange(classes), score.shape)[held]
        stepped = np.maximum(score, grown)
        before[:, NOTHING], stepped[:, NOTHING] = best, score.max(axis=1)
        score = stepped + row
    allowed = score[min_length:]
    if allowed.max() == ZERO:
        return ()
    length, char = np.unravel_index(int(allowed.argmax()), allowed.shape)
    return _backtrack(came_from, int(length) + min_length, int(char))


def _backtrack(came_from: NDArray[np.int64], length: int, char: int) -> Text:
    text: list[int] = []
    for step in range(len(came_from) - 1, -1, -1):
        before = int(came_from[step, length, char])
        if char not in (NOTHING, before):
            text.append(char)
            length -= 1
        char = before
    return tuple(reversed(text))


def _grow(beams: Beams, row: list[float], candidates: list[int], longest: int) -> Beams:
    """Every prefix after one more row: the same (blank, or its last character held), or one longer."""
    grown: Beams = {}
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


def _add(beams: Beams, text: Text, blank: float, held: float) -> None:
    if text in beams:
        old_blank, old_held = beams[text]
        blank, held = _either(old_blank, blank), _either(old_held, held)
    beams[text] = (blank, held)


def _kept(beams: Beams, shortest: int, width: int) -> Beams:
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


def _viterbi(emissions: LogProbs, skips: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The best state for each of T rows, given (T, S) emissions of the S states of a CTC text."""
    count = len(skips)
    score = np.full(count, ZERO)
    score[:2] = emissions[0, :2]
    came_from = np.zeros(emissions.shape, dtype=np.int64)
    for step in range(1, len(emissions)):
        options = np.full((3, count), ZERO)
        options[0] = score
        options[1, 1:] = score[:-1]
        options[2, 2:] = np.where(skips[2:], score[:-2], ZERO)
        came_from[step] = options.argmax(axis=0)
        score = options.max(axis=0) + emissions[step]
    path = np.empty(len(emissions), dtype=np.int64)
    path[-1] = count - 1 - int(score[-1] < score[-2])
    for step in range(len(emissions) - 1, 0, -1):
        path[step - 1] = path[step] - came_from[step, path[step]]
    return path
