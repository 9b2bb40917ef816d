"""Estimates with honest bounds: rates, paired differences, sample sizes, calibration, risk and coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.symbols import characters

BINS = 15
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """A solve rate: ``solved`` of ``n``, with its 95 % Wilson interval."""

    solved: int
    n: int

    @property
    def value(self) -> float:
        return self.solved / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        return wilson(self.solved, self.n)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference of two rates on the same items, with its 95 % interval."""

    value: float
    ci95: tuple[float, float]

    @property
    def real(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.ci95[0] > 0 or self.ci95[1] < 0


def paired_change(before: Sequence[bool], after: Sequence[bool]) -> Change:
    """Change in rate between two conditions on the same items, in order.

    Newcombe's (1998, method 10) score interval for paired proportions: it keeps within -1..1, and does not collapse
    to a point where nothing changed.
    """
    n = len(before)
    if n == 0 or n != len(after):
        raise ValueError(f"expected as many items before as after, and some, received {n} and {len(after)}")
    a, b = np.asarray(before, bool), np.asarray(after, bool)
    both, first, second = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    neither = n - both - first - second
    p1, p2 = (both + first) / n, (both + second) / n
    (l1, u1), (l2, u2) = wilson(both + first, n), wilson(both + second, n)
    margins = math.sqrt((both + first) * (second + neither) * (both + second) * (first + neither))
    together: float = both * neither - first * second
    if together > 0:  # the continuity correction that tells method 10 from 8: pairs seem to go together by chance
        together = max(together - n / 2, 0)
    phi = together / margins if margins else 0.0
    low = math.sqrt(max((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2, 0.0))
    high = math.sqrt(max((u2 - p2) ** 2 - 2 * phi * (u2 - p2) * (p1 - l1) + (p1 - l1) ** 2, 0.0))
    return Change(p2 - p1, (p2 - p1 - low, p2 - p1 + high))


def trials_to_claim(threshold: float) -> int:
    """How many failed attempts, and no solved one, it takes to say at 95 % that the rate is below ``threshold``.

    Exact: the smallest n with (1 - threshold)^n <= 0.05; 299 for 1 %, 29,956 for 0.01 %.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-threshold))


def chance_of(solved: int, n: int, rate: float) -> float:
    """How likely ``solved`` or more of ``n`` attempts succeed where each does so with ``rate`` (binomial, exact)."""
    if not 0 < rate < 1:
        raise ValueError(f"expected a rate between 0 and 1, received {rate}")
    at, off = math.log(rate), math.log1p(-rate)
    ways = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(solved))
    return max(1 - math.fsum(math.exp(way + k * at + (n - k) * off) for k, way in enumerate(ways)), 0.0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an attacker gets who answers only where they are sure enough."""

    coverage: NDArray[np.float64]  # (N,) share answered, rising
    accuracy: NDArray[np.float64]  # (N,) share right of those
    threshold: NDArray[np.float64]  # (N,) least confidence among those

    def at(self, accuracy: float) -> tuple[float, float]:
        """The largest coverage whose accuracy is at least this, and its threshold; (0, 1) where there is none."""
        fit = np.flatnonzero(self.accuracy >= accuracy)
        return (float(self.coverage[fit[-1]]), float(self.threshold[fit[-1]])) if len(fit) else (0.0, 1.0)

    @property
    def area(self) -> float:
        """Area under the risk-coverage curve (Geifman and El-Yaniv 2017): mean error over all coverages, 0 is best."""
        if not len(self.accuracy):
            return 1.0
        return float(np.sum(np.diff(self.coverage, prepend=0.0) * (1 - self.accuracy)))


def risk_coverage(confidences: Sequence[float], solved: Sequence[bool]) -> Coverage:
    """The risk-coverage curve; answers of one confidence are taken together, for no threshold parts them."""
    sure = np.asarray(confidences, float)
    right = np.asarray(solved, float)
    order = np.argsort(-sure, kind="stable")
    sure, right = sure[order], right[order]
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True)) if len(sure) else np.zeros(0, int)
    counts = ends + 1
    return Coverage(counts / max(len(sure), 1), np.cumsum(right)[ends] / counts, sure[ends])


def calibration_error(
    confidences: Sequence[float] | NDArray[np.floating], solved: Sequence[bool] | NDArray[np.bool_]
) -> float:
    """Expected calibration error (Naeini et al. 2015, Guo et al. 2017) over 15 bins of equal width, 0-1."""
    sure, right = np.asarray(confidences, float), np.asarray(solved, float)
    if not len(sure):
        return 0.0
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = 0.0
    for each in np.unique(place):
        inside = place == each
        error += float(inside.mean()) * abs(float(sure[inside].mean()) - float(right[inside].mean()))
    return error


Z_95 = 1.959963984540054  # standard normal quantile of 97.5 %


def wilson(solved: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), 0-1; (0, 1) where nothing was tried."""
    if n == 0:
        return 0.0, 1.0
    share = solved / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if solved == 0 else (centre - spread) / scale
    high = 1.0 if solved == n else (centre + spread) / scale
    return low, high


def edits(truth: str, answer: str) -> int:
    """Levenshtein distance: fewest single-character changes that turn ``answer`` into ``truth``."""
    return sum(true != read for true, read in align(truth, answer))


def align(truth: str, text: str) -> list[tuple[str, str]]:
    """Pairs (true, read) of a cheapest alignment, in order; ``""`` where a character was dropped or added."""
    wanted, found = characters(truth), characters(text)
    rows = [list(range(len(found) + 1))]
    for i, true in enumerate(wanted, 1):
        row = [i]
        for j, read in enumerate(found, 1):
            row.append(min(rows[-1][j - 1] + (true != read), rows[-1][j] + 1, row[-1] + 1))
        rows.append(row)
    pairs: list[tuple[str, str]] = []
    i, j = len(wanted), len(found)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (wanted[i - 1] != found[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((wanted[i], found[j]))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            pairs.append((wanted[i], ""))
        else:
            j -= 1
            pairs.append(("", found[j]))
    return pairs[::-1]
