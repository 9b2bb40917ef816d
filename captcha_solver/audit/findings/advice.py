"""What an owner is advised to change, from the measured effects: each piece of advice with its figures."""

from collections.abc import Sequence
from statistics import NormalDist

from captcha_solver.audit.findings.rows import AdviceRow, Effect
from captcha_solver.audit.subjects.variants import STRONGEST
from captcha_solver.statistics import CONFIDENCE, Z_95, Rate

ALPHA = 1 - CONFIDENCE
USELESS = 0.01  # a change of the rate that is no reason to keep a distortion
STILL_USELESS = 0.1  # where the interval must end: of few images, nothing is known
ILLEGIBLE = 0.02  # a change of the proxy that people would notice
WEAK = 0.1


def advise(features: Sequence[Effect], rate: Rate | None) -> tuple[AdviceRow, ...]:
    """Advice for a design that can be changed; the strongest first.

    A distortion that costs an adaptive attacker something at severity 5 is to be raised, the more the less it takes
    from legibility. Another whose removal changes nothing for them, and makes the image clearer, should go. Of many
    distortions that do nothing one would seem to by chance: the intervals are widened for how many were tried
    (Bonferroni).
    """
    adaptive = [row for row in features if row.adaptive and row.severity is not None]
    found = _to_raise(adaptive)
    raised = {name for each in found for name in each.changes}
    found += _to_remove([row for row in adaptive if row.name not in raised])
    if rate is not None and rate.value >= WEAK and not any(each.change < 0 for each in found):
        tried = "no distortion that it has, removed or raised, was seen to cost a trained attacker anything"
        why = tried if adaptive else f"{rate.value:.0%} of its images are read"
        found.append(AdviceRow("draw another design", why, None, 0.0, (0.0, 0.0), None, {}))
    return tuple(sorted(found, key=lambda each: (each.change, -(each.legibility_change or 0))))


def _to_remove(rows: Sequence[Effect]) -> list[AdviceRow]:
    removed = [row for row in rows if row.severity == 0]
    found = []
    for row in removed:
        clearer = row.legibility_change is not None and row.legibility_change > ILLEGIBLE
        if clearer and row.change <= USELESS and row.ci95[1] <= STILL_USELESS:
            why = "an attacker trained without it reads no more that could be told, and people would read more"
            found.append(_advice(f"remove {row.name}", why, row))
    return found


def _to_raise(rows: Sequence[Effect]) -> list[AdviceRow]:
    raised = [row for row in rows if row.severity == STRONGEST]
    found = []
    for row in raised:
        if highest(row, tried=len(raised)) < 0:
            why = f"an attacker trained on it at severity {STRONGEST} reads less"
            found.append(_advice(f"raise {row.name} to {STRONGEST}", why, row))
    return found


def highest(row: Effect, *, tried: int) -> float:
    """The upper end of a row's interval, widened so that all of ``tried`` such rows hold together with 95 %."""
    wider = NormalDist().inv_cdf(1 - ALPHA / (2 * tried)) / Z_95
    return row.change + wider * (row.ci95[1] - row.change)


def _advice(do: str, why: str, row: Effect) -> AdviceRow:
    """Advice that rests on a measured effect."""
    return AdviceRow(do, why, row.condition, row.change, row.ci95, row.legibility_change, row.changes)


def proposal(advice: Sequence[AdviceRow]) -> dict[str, float]:
    """Distortion -> severity, of all advice together: what ``--improve`` draws and attacks."""
    together: dict[str, float] = {}
    for each in advice:
        together |= each.changes
    return together


def predicted(advice: Sequence[AdviceRow], rate: float) -> float:
    """The rate that the single effects add up to, within 0-1; they need not add up, which is why it is measured."""
    return min(max(rate + sum(each.change for each in advice), 0.0), 1.0)
