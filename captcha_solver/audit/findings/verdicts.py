"""What three published thresholds say of a rate."""

from dataclasses import dataclass
from enum import StrEnum

from captcha_solver.statistics import CONFIDENCE, Rate, chance_of, trials_to_claim


class Verdict(StrEnum):
    BROKEN = "broken"
    HOLDS = "holds"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A solve rate above which a design counts as broken, and who said so."""

    rate: float
    source: str


PUBLISHED = (
    Threshold(0.0001, "Chellapilla et al. 2005: machines should succeed less than once in 10,000 tries"),
    Threshold(0.01, "Bursztein et al. 2011: broken at 1 %"),
    Threshold(0.1, "10 %: a common mark for attacks that need no patience"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one threshold says of a rate; ``trials_needed``: failed trials it takes to claim that a design holds."""

    threshold: Threshold
    verdict: Verdict
    trials_needed: int


def judge(rate: Rate, threshold: Threshold) -> Judgement:
    """Broken where the whole 95 % interval is at or above the threshold, holding where it is below, else undecided.

    Where next to nothing was solved, Wilson's interval is off, and exact bounds decide: of none solved, so many
    failures are needed before it can be claimed that a design holds; and it is broken only where a rate at the
    threshold would give as many correct answers in less than one audit of twenty.
    """
    low, high = rate.ci95
    needed = trials_to_claim(threshold.rate)
    if rate.n and low >= threshold.rate and chance_of(rate.solved, rate.n, threshold.rate) <= 1 - CONFIDENCE:
        verdict = Verdict.BROKEN
    elif rate.n and ((rate.solved == 0 and rate.n >= needed) or high < threshold.rate):
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    return Judgement(threshold, verdict, needed)
