"""The label curve: the solve rate at several budgets, the labels that a rate costs, and whether it still rises."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.audit.figures import Bound, Count, Share, said
from captcha_solver.statistics import Change, Rate

THRESHOLDS = (0.0001, 0.01, 0.1, 0.5)
AS_GOOD_AS_DONE = 0.995  # a rate that cannot rise much further


@dataclass(frozen=True, slots=True)
class Point:
    """The rate of an attack with so many labels."""

    labels: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class Needed:
    """Labels until an attack reaches ``threshold``: ``=`` so many, ``<=`` the fewest tried, ``>`` the most tried."""

    threshold: Annotated[Share, said("The rate: 0.0001, 0.01, 0.1 and 0.5.")]
    labels: Annotated[Count, said("Interpolated in log(1 + labels) between two budgets, or a bound.")]
    bound: Bound

    def __str__(self) -> str:
        return f"{self.labels:,}" if self.bound == "=" else f"{self.bound} {self.labels:,}"


@dataclass(frozen=True, slots=True)
class Curve:
    """One attack at growing budgets. ``rising``: more labels would still help, so that its rate is a lower bound."""

    attack: str
    points: Sequence[Point]
    rising: bool

    @property
    def best(self) -> Point:
        return max(self.points, key=lambda point: (point.rate.value, -_ordered(point.labels)))

    def needed(self, threshold: float) -> Needed | None:
        """Labels needed for ``threshold``, interpolated in log(1 + labels) between budgets; None where none was tried.

        The rate counts as reached where it was measured, not where its interval might reach. A curve that falls by
        chance is taken at its running maximum.
        """
        points = sorted((p for p in self.points if p.labels != UNLIMITED), key=lambda p: p.labels)
        if not points:
            return None
        top, before = 0.0, None
        for point in points:
            reached = max(top, point.rate.value)
            if reached >= threshold:
                if before is None:
                    return Needed(threshold, point.labels, "=" if point.labels == 0 else "<=")
                return Needed(threshold, _between(before, (point.labels, reached), threshold), "=")
            top, before = reached, (point.labels, reached)
        return Needed(threshold, points[-1].labels, ">")


def fewest(curves: Sequence[Curve], threshold: float) -> Needed | None:
    """The labels with which the first attack reaches ``threshold``; where none does, the most that were tried."""
    found = [needed for curve in curves if (needed := curve.needed(threshold))]
    reached = [needed for needed in found if needed.bound != ">"]
    if reached:
        return min(reached, key=lambda needed: (needed.labels, needed.bound))
    return max(found, key=lambda needed: needed.labels, default=None)


def is_rising(points: Sequence[Point], last_step: Change | None) -> bool:
    """Whether the last budget still brought something, and there is something left to bring."""
    if len(points) < 2 or last_step is None or points[-1].rate.value >= AS_GOOD_AS_DONE:
        return False
    return last_step.ci95[0] > 0


def _between(before: tuple[int, float], after: tuple[int, float], threshold: float) -> int:
    (labels_a, rate_a), (labels_b, rate_b) = before, after
    share = (threshold - rate_a) / (rate_b - rate_a)
    low, high = math.log1p(labels_a), math.log1p(labels_b)
    return math.ceil(math.expm1(low + share * (high - low)) - 1e-9)


def _ordered(labels: int) -> float:
    return math.inf if labels == UNLIMITED else labels
