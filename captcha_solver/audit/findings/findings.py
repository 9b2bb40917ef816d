"""What a report says of an audit's results: typed rows, each figure a pure function of the trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from captcha_solver.audit.cells import BASE, UNLIMITED, Result
from captcha_solver.audit.findings.breakdown import Kind, breakdown, ensemble
from captcha_solver.audit.findings.cost import Effort, cost
from captcha_solver.audit.findings.curves import THRESHOLDS, Curve, Point, fewest, is_rising
from captcha_solver.audit.findings.rows import (
    AnswersAt,
    AttackRow,
    BreakdownRow,
    ConfidenceRow,
    CostRow,
    CurveRow,
    Effect,
    Kinds,
    Lockout,
    RateRow,
    ThresholdRow,
)
from captcha_solver.audit.findings.verdicts import PUBLISHED, judge
from captcha_solver.audit_settings import Prices
from captcha_solver.statistics import Change, Rate, calibration_error, paired_change, risk_coverage

ANY, SUREST = "ensemble: any of them", "ensemble: the surest answer"
MOST_CONFUSIONS = 20
SURE_ENOUGH = (0.5, 0.9, 0.99)  # accuracies that a confident-only attacker asks of their answers
CURVE_POINTS = 60


@dataclass(frozen=True, slots=True)
class Altered:
    """What makes a condition another than the design as it is.

    ``name``: what was changed, ``what``: how, in words; ``changes``: distortion -> severity, 0 where it was removed;
    ``wash``: what was done to the image afterwards.
    """

    name: str
    what: str
    changes: Mapping[str, float]
    wash: str | None = None


def attack_rows(results: Sequence[Result], *, fold_case: bool) -> tuple[AttackRow, ...]:
    """One row an attack and budget on the design as it is; then two of all attacks together."""
    rows = []
    base = [r for r in results if r.cell.condition == BASE and r.cell.trained_on == BASE]
    for result in base:
        rate = rate_of(result, fold_case=fold_case)
        rows.append(
            AttackRow(
                *_rate_values(result.cell.attack, result.cell.labels, rate),
                ms_per_solve=result.ms_per_solve,
                train_core_s=result.train_core_s,
                train_accuracy=result.train_accuracy,
                model_sha256=result.model_sha256,
            )
        )
    if len(base) > 1:
        any_of, surest = ensemble([result.trials for result in base], fold_case=fold_case)
        labels = max((_order(result.cell.labels), result.cell.labels) for result in base)[1]
        rows += [
            AttackRow(*_rate_values(name, labels, Rate(sum(solved), len(solved))), None, None, None, None)
            for name, solved in ((ANY, any_of), (SUREST, surest))
        ]
    return tuple(rows)


def within(results: Sequence[Result], labels: int, *, fold_case: bool) -> RateRow | None:
    """The best that can be had for so many labels; None where nothing was tried for them.

    An attack by itself, or all of them together by their surest answer. Which of several answers is right cannot be
    known to an attacker, so that solved by any of them does not count; nor does who needs the generator.
    """
    affordable = [result for result in results if 0 <= result.cell.labels <= labels]
    rows = [row for row in attack_rows(affordable, fold_case=fold_case) if row.name != ANY]
    best = max(rows, key=lambda row: row.rate, default=None)
    return None if best is None else RateRow(**{each.name: getattr(best, each.name) for each in fields(RateRow)})


def rate_of(result: Result, *, fold_case: bool) -> Rate:
    return Rate(sum(solved_of(result, fold_case=fold_case)), len(result.trials))


def solved_of(result: Result, *, fold_case: bool) -> list[bool]:
    return [trial.solved(fold_case=fold_case) for trial in result.trials]


def curves(results: Sequence[Result], *, fold_case: bool) -> list[Curve]:
    """The label curve of each attack; of one that was tried once, a single point."""
    found: dict[str, dict[int, Result]] = {}
    for result in results:
        if result.cell.condition == BASE and result.cell.trained_on == BASE:
            found.setdefault(result.cell.attack, {})[result.cell.labels] = result
    made = []
    for attack, by_labels in found.items():
        ordered = sorted(by_labels, key=_order)
        points = [Point(labels, rate_of(by_labels[labels], fold_case=fold_case)) for labels in ordered]
        counted = [by_labels[labels] for labels in ordered if labels != UNLIMITED]
        step = _step(*counted[-2:], fold_case=fold_case) if len(counted) > 1 else None
        made.append(Curve(attack, points, is_rising([p for p in points if p.labels != UNLIMITED], step)))
    return made


def _step(before: Result, after: Result, *, fold_case: bool) -> Change | None:
    """What the last budget brought, on the images that were read with both."""
    pairs = paired(before, after, fold_case=fold_case)
    return paired_change(*zip(*pairs, strict=True)) if pairs else None


def curve_row(curve: Curve) -> CurveRow:
    """The label curve of an attack, and the labels that it needs for a few rates."""
    return CurveRow(
        attack=curve.attack,
        rising=curve.rising,
        points=tuple(RateRow(*_rate_values(curve.attack, point.labels, point.rate)) for point in curve.points),
        labels_needed=tuple(needed for threshold in THRESHOLDS if (needed := curve.needed(threshold))),
    )


def best_of(results: Sequence[Result], *, fold_case: bool) -> Result | None:
    """The attack and budget that solves most of the design as it is; of equals the one with fewer labels."""
    base = [r for r in results if r.cell.condition == BASE and r.cell.trained_on == BASE and r.trials]
    key = lambda r: (rate_of(r, fold_case=fold_case).value, -_order(r.cell.labels))  # noqa: E731 - used once, below
    return max(base, key=key, default=None)


def threshold_rows(best: Result, curves: Sequence[Curve], *, fold_case: bool) -> tuple[ThresholdRow, ...]:
    """What each published threshold says of the best attack, and the fewest labels with which any attack reached it."""
    rate = rate_of(best, fold_case=fold_case)
    rows = []
    for threshold in PUBLISHED:
        judgement = judge(rate, threshold)
        needed = fewest(curves, threshold.rate)
        rows.append(
            ThresholdRow(
                threshold=threshold.rate,
                source=threshold.source,
                status=judgement.verdict,
                labels=needed.labels if needed else None,
                bound=needed.bound if needed else None,
                trials_needed_to_claim_it_holds=judgement.trials_needed,
            )
        )
    return tuple(rows)


def cost_row(result: Result, prices: Prices, *, fold_case: bool) -> CostRow:
    """What the attack costs, at the prices given."""
    rate = rate_of(result, fold_case=fold_case)
    labels = max(result.cell.labels, 0)
    found = cost(Effort(labels, result.train_core_s, result.ms_per_solve, rate.value), prices)
    return CostRow(
        attack=result.cell.attack,
        labels=result.cell.labels,
        prices=prices,
        once=found.once,
        per_1000_correct=found.per_1000,
        attempts_per_correct=found.attempts,
        lockout=tuple(Lockout(tries, chance) for tries, chance in found.lockout),
    )


def confidence_row(result: Result, *, fold_case: bool) -> ConfidenceRow:
    """What an attacker gets who answers only where they are sure; and how true their confidence is."""
    sure = [trial.confidence for trial in result.trials]
    solved = solved_of(result, fold_case=fold_case)
    curve = risk_coverage(sure, solved)
    places = np.unique(np.linspace(0, len(curve.coverage) - 1, min(CURVE_POINTS, len(curve.coverage))).astype(int))
    return ConfidenceRow(
        attack=result.cell.attack,
        labels=result.cell.labels,
        n=len(solved),
        calibration_error=calibration_error(sure, solved),
        area=curve.area,
        curve=tuple((float(curve.coverage[i]), float(curve.accuracy[i]), float(curve.threshold[i])) for i in places),
        answers_at=tuple(AnswersAt(accuracy, *curve.at(accuracy)) for accuracy in SURE_ENOUGH),
    )


def break_row(result: Result, *, fold_case: bool) -> BreakdownRow:
    """Where an attack fails."""
    found = breakdown(result.trials, fold_case=fold_case)
    return BreakdownRow(
        attack=result.cell.attack,
        labels=result.cell.labels,
        n=found.n,
        kinds=Kinds(**{kind.name.lower(): found.kinds[kind] for kind in Kind}),
        confusions=tuple(found.confusions[:MOST_CONFUSIONS]),
        places=tuple(found.places),
    )


def effects(
    results: Sequence[Result],
    altered: Mapping[str, Altered],
    legible: Mapping[str, float],
    *,
    fold_case: bool,
) -> tuple[Effect, ...]:
    """What each change buys: ``altered`` maps a condition to what was changed, ``legible`` to the mean of the proxy.

    A non-adaptive attacker is compared with itself on the design as it is, an adaptive one with the one trained on
    that, each on the same texts, pair by pair.
    """
    rows = []
    base = {(r.cell.attack, r.cell.labels): r for r in results if r.cell.condition == r.cell.trained_on == BASE}
    for result in results:
        cell = result.cell
        before = base.get((cell.attack, cell.labels))
        if cell.condition not in altered or before is None:
            continue
        pairs = paired(before, result, fold_case=fold_case)
        if not pairs:
            continue
        change = paired_change(*zip(*pairs, strict=True))
        made = altered[cell.condition]
        seen = legible.get(cell.condition), legible.get(BASE)
        rows.append(
            Effect(
                name=made.name,
                what=made.what,
                condition=cell.condition,
                attack=cell.attack,
                labels=cell.labels,
                adaptive=cell.trained_on == cell.condition,
                rate=rate_of(result, fold_case=fold_case).value,
                change=change.value,
                ci95=change.ci95,
                legibility_change=None if seen[0] is None or seen[1] is None else round(seen[0] - seen[1], 6),
                n=len(pairs),
                changes=made.changes,
                wash=made.wash,
            )
        )
    return tuple(rows)


def paired(before: Result, after: Result, *, fold_case: bool) -> list[tuple[bool, bool]]:
    """(solved before, solved after) of each image, or text drawn again, that both have read."""
    known = {(o.sample, o.truth): o.solved(fold_case=fold_case) for o in before.trials}
    return [
        (known[o.sample, o.truth], o.solved(fold_case=fold_case)) for o in after.trials if (o.sample, o.truth) in known
    ]


def _rate_values(attack: str, labels: int, rate: Rate) -> tuple[str, int, int, int, float, tuple[float, float]]:
    """The fields of a ``RateRow``."""
    return attack, labels, rate.n, rate.solved, rate.value, rate.ci95


def _order(labels: int) -> float:
    return float("inf") if labels == UNLIMITED else labels
