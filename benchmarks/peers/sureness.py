"""What a reader's confidence is worth: how many of the answers that it is most sure of are right.

Answers are taken by falling confidence. Those of the same confidence cannot be told apart, so they are taken together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from captcha_solver.texts import same_text

SAFE = 0.995  # the precision from which answers are used unseen


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What was read in an image, and how sure the reader is of it, 0-1; None where it does not say."""

    text: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether an answer was right, and how sure the reader was."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """The surest ``taken`` of ``n`` answers, of which ``right`` are right."""

    taken: int
    right: int
    n: int

    @property
    def coverage(self) -> float:
        return self.taken / self.n

    @property
    def precision(self) -> float:
        return self.right / self.taken


@dataclass(frozen=True, slots=True)
class Sureness:
    """Precision, 0-1, of the surest half, four fifths and all of the answers; the coverage that is ``SAFE``."""

    precision_50: float
    precision_80: float
    precision_100: float
    safe_coverage: float


def judged(truths: Sequence[str], answers: Sequence[PeerAnswer]) -> list[Judged] | None:
    """Right is right with case folded; no text is the least sure answer. None where a confidence is missing."""
    made = []
    for truth, answer in zip(truths, answers, strict=True):
        if answer.confidence is None:
            return None
        right = same_text(truth, answer.text, fold_case=True)
        made.append(Judged(answer.confidence if answer.text else 0.0, right))
    return made


def cuts(some: Sequence[Judged]) -> list[Cut]:
    """Every place where the answers can be cut, from the surest on; the last one takes all."""
    made, taken, right = [], 0, 0
    falling = sorted(some, key=lambda each: -each.confidence)
    for _, group in groupby(falling, key=lambda each: each.confidence):
        alike = list(group)
        taken += len(alike)
        right += sum(each.right for each in alike)
        made.append(Cut(taken, right, len(falling)))
    return made


def precision_at(coverage_percent: int, some: Sequence[Cut]) -> float:
    """Precision of the first cut that takes at least so many per cent of the answers."""
    return next(cut.precision for cut in some if 100 * cut.taken >= coverage_percent * cut.n)


def safe_coverage(some: Sequence[Cut], precision: float = SAFE) -> float:
    """The largest coverage whose precision is at least ``precision``; 0 where no cut reaches it."""
    return max((cut.coverage for cut in some if cut.precision >= precision), default=0.0)


def sureness(some: Sequence[Judged] | None) -> Sureness | None:
    """The figures of a reader, or None of one that does not say how sure it is, or that read nothing."""
    if not some:
        return None
    found = cuts(some)
    at_50, at_80, at_100 = (precision_at(percent, found) for percent in (50, 80, 100))
    return Sureness(at_50, at_80, at_100, safe_coverage(found))
