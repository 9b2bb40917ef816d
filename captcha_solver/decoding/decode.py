"""Turn Scores into a Reading: best path, or the best text of a given length and charset; numpy only."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.arithmetic.expressions import parse_answer
from captcha_solver.charset import NOTHING, Charset, both_cases, parse_charset, shown
from captcha_solver.decoding.candidates import log_likelihoods
from captcha_solver.decoding.ctc import align, best_text
from captcha_solver.decoding.probabilities import Run, log_softmax, runs
from captcha_solver.errors import OptionError
from captcha_solver.symbols import reading_order
from captcha_solver.types import Character, Reading, Scores

LogProbs = NDArray[np.float64]

EMPTY = Reading(text="", characters=(), confidence=0.0)
FLOOR = -1e4  # stands for log 0, so that sums stay finite
SURE = float(np.log(0.5))


@dataclass(frozen=True, slots=True)
class Constraints:
    """What is known of a text beforehand; ``None`` means unknown. ``charset``: as ``parse_charset`` takes it.

    ``fold_case``: upper and lower case are the same letter, so that a charset allows both. ``answer``: the text is a
    sum, and the answer to it the ``expression`` in one form, or its ``result``.
    """

    charset: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    fold_case: bool = False
    answer: str | None = None

    def __post_init__(self) -> None:
        parse_answer(self.answer)
        shortest = 1 if self.min_length is None else self.min_length
        if shortest < 1 or (self.max_length is not None and self.max_length < shortest):
            raise OptionError(
                "expected a length of at least 1, or a range A-B with 1 <= A <= B, "
                f"received {self.min_length}-{self.max_length}"
            )

    @property
    def fixes_length(self) -> bool:
        return self.min_length is not None or self.max_length is not None

    def symbols(self) -> str | None:
        """The characters that the charset allows; None where none is known. ``OptionError`` where it makes no sense."""
        if self.charset is None:
            return None
        symbols = parse_charset(self.charset).symbols
        return both_cases(symbols) if self.fold_case else symbols

    def allows_length(self, length: int) -> bool:
        """Whether a text of ``length`` characters is within the range."""
        return length >= (self.min_length or 0) and (self.max_length is None or length <= self.max_length)

    def length_text(self) -> str:
        """The range as people write it: ``4``, ``4-6``, or nothing where it is free."""
        low, high = self.min_length or 1, self.max_length
        if not self.fixes_length:
            return ""
        return f"{low}" if low == high else f"{low}-{'' if high is None else high}"


FREE = Constraints()


def parse_length(spec: str | int) -> tuple[int, int]:
    """Smallest and largest length of ``4`` or ``4-6``; ``OptionError`` for anything else."""
    match = re.fullmatch(r"\s*([0-9]{1,4})(?:\s*-\s*([0-9]{1,4}))?\s*", str(spec))
    low = int(match[1]) if match else 0
    high = int(match[2] or match[1]) if match else 0
    if not 1 <= low <= high:
        raise OptionError(f"expected a length N or a range A-B with 1 <= A <= B (4, or 4-6), received {str(spec)!r}")
    return low, high


def decode(scores: Scores, charset: Charset, constraints: Constraints, temperature: float = 1.0) -> Reading:
    """The text in ``scores``: a batch of one (see ``decode_all``)."""
    return decode_all([scores], charset, constraints, temperature)[0]


def decode_all(
    scores: Sequence[Scores], charset: Charset, constraints: Constraints, temperature: float = 1.0
) -> list[Reading]:
    """The text in each of ``scores`` that obeys ``constraints``; an empty Reading where none does.

    Narrowing keeps "nothing here" and the allowed characters and renormalises over them. Without a length the
    best path is read; with one, the most probable text of that length (CTC prefix beam search, or exactly
    where segments do not merge).

    Confidence is the product over the emitted characters of each one's peak probability, where probabilities
    are ``softmax(log_probs / temperature)`` over the narrowed classes. The temperature never changes the
    text. The rows of all scores are worked on together; no answer depends on the others.
    """
    if not temperature > 0:
        raise OptionError(f"expected a temperature above 0, received {temperature}")
    classes = allowed_ids(charset, constraints)
    for each in scores:
        if each.log_probs.shape[1] != charset.classes:
            received = each.log_probs.shape[1]
            raise OptionError(
                f"expected scores for {charset.classes} classes ({shown(charset.symbols)!r}), received {received}"
            )
    if not scores:
        return []
    rows = np.concatenate([each.log_probs for each in scores])
    narrowed = rows if len(classes) == charset.classes else rows[:, classes]
    log_probs = _log_probs(narrowed.astype(np.float64))
    probs = np.exp(log_probs if temperature == 1 else _log_probs(log_probs / temperature))
    symbols = ["" if id_ == NOTHING else charset.characters[id_ - 1] for id_ in classes]
    stops = np.cumsum([len(each.log_probs) for each in scores]).tolist()
    readings = []
    for each, start, stop in zip(scores, [0, *stops], stops, strict=False):
        pieces = (_read_ctc if each.collapse else _read_segments)(log_probs[start:stop], constraints)
        readings.append(_reading(each, pieces, probs[start:stop], symbols, constraints))
    return readings


def likelihoods(
    scores: Sequence[Scores], texts: Sequence[str], charset: Charset, constraints: Constraints
) -> NDArray[np.float64]:
    """How probable each of ``texts`` is in each of ``scores``, which merge repeats (CTC): (V, N) 0-1.

    Over all alignments, and narrowed as ``decode_all`` narrows. Scores without rows make every text impossible. The
    texts have no characters that the constraints leave out.
    """
    classes = allowed_ids(charset, constraints)
    place = {id_: i for i, id_ in enumerate(classes)}
    ids = [[place[each] for each in charset.encode(text)] for text in texts]
    rows = [log_likelihoods(_log_probs(each.log_probs[:, classes].astype(np.float64)), ids) for each in scores]
    return np.asarray(np.exp(np.stack(rows)), np.float64)


def _reading(
    scores: Scores, pieces: list[Run], probs: NDArray[np.float64], symbols: list[str], constraints: Constraints
) -> Reading:
    if not pieces or not constraints.allows_length(len(pieces)):
        return EMPTY
    read = [
        Character(
            char=symbols[piece.column],
            confidence=float(probs[piece.start : piece.stop, piece.column].max()),
            span_px=_span(scores, piece),
        )
        for piece in pieces
    ]
    characters = tuple(read[place] for place in reading_order([each.char for each in read]))
    confidence = math.prod(character.confidence for character in characters)
    return Reading("".join(character.char for character in characters), characters, confidence)


def allowed_ids(charset: Charset, constraints: Constraints) -> list[int]:
    """Class ids that may be read: "nothing here" first, then the allowed characters' in order."""
    symbols = constraints.symbols()
    if symbols is None:
        return list(range(charset.classes))
    ids = charset.ids_of(symbols)
    if not ids:
        raise OptionError(
            f"expected characters the model reads ({shown(charset.symbols)}), received {constraints.charset!r}"
        )
    return [NOTHING, *ids]


def _read_ctc(log_probs: LogProbs, constraints: Constraints) -> list[Run]:
    """Pieces of a CTC output (Graves et al. 2006).

    The best path stands where its length is allowed and it is either all that is asked for, or more probable
    than everything else together (so that no search could find better).
    """
    path = log_probs.argmax(axis=1)
    pieces = runs(path)
    if not constraints.fixes_length:
        return pieces
    if constraints.allows_length(len(pieces)) and float(log_probs.max(axis=1).sum()) > SURE:
        return pieces
    text = best_text(log_probs, constraints.min_length or 1, constraints.max_length)
    return [Run(*piece) for piece in align(log_probs, text)]


def _read_segments(log_probs: LogProbs, constraints: Constraints) -> list[Run]:
    """Pieces of segments, a row each: those, in the allowed number, that gain most over "nothing here".

    Rows are independent, so taking the largest gains is the exact maximum of the summed log-probabilities.
    """
    best = log_probs[:, 1:].argmax(axis=1) + 1
    gains = log_probs[np.arange(len(best)), best] - log_probs[:, NOTHING]
    wanted = int((gains > 0).sum())
    low = constraints.min_length or 0
    high = len(gains) if constraints.max_length is None else constraints.max_length
    rows = np.sort(np.argsort(-gains, kind="stable")[: min(max(wanted, low), high)])
    return [Run(int(best[row]), int(row), int(row) + 1) for row in rows]


def _span(scores: Scores, piece: Run) -> tuple[float, float]:
    """Image columns from the left of the piece's first row to the right of its last: rows go left to right."""
    return float(scores.spans_px[piece.start, 0]), float(scores.spans_px[piece.stop - 1, 1])


def _log_probs(values: LogProbs) -> LogProbs:
    """Rows of (T, C) normalised to log-probabilities; log 0 becomes ``FLOOR``."""
    return np.asarray(np.maximum(log_softmax(np.maximum(values, FLOOR)), FLOOR), np.float64)
