"""What an audit knows of itself and its results in, its report out: every figure a pure function of the two.

The audit writes its facts into ``audit.json`` beside the trials, so that whoever has the folder can compute the same
report again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from captcha_solver.audit.attackers.perturb import PERTURBATIONS
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result
from captcha_solver.audit.findings import findings
from captcha_solver.audit.findings.advice import advise, predicted, proposal
from captcha_solver.audit.findings.curves import fewest
from captcha_solver.audit.findings.drift import MATRIX_LABELS, must_change, recovered
from captcha_solver.audit.findings.inconclusive import reasons
from captcha_solver.audit.findings.verdicts import Verdict
from captcha_solver.audit.plan import ADAPTED_LABELS, TRAINED
from captcha_solver.audit.provenance import Provenance
from captcha_solver.audit.runner import LeftOut
from captcha_solver.audit_settings import Prices
from captcha_solver.errors import DatasetError
from captcha_solver.records import parse_record

SCHEMA_VERSION = 1
FACTS = "audit.json"
KEPT_UNDER = 0.01  # the rate that a design is to keep attackers under by changing
FEW_TESTED = 300  # 0 solved of so many bounds the rate by 1 %
OVERFITTED = 0.3  # how much more of its own labels than of the tested images an attacker reads, to be flagged


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed design: each changed distortion's name and its severity now, 0 where it was taken away."""

    severities: tuple[tuple[str, int | float], ...] = ()  # as they were written: 0 stays 0

    @property
    def name(self) -> str:
        return " + ".join(name for name, _ in self.severities)

    @property
    def what(self) -> str:
        return ", ".join("removed" if at == 0 else f"at {at:g}" for _, at in self.severities)


@dataclass(frozen=True, slots=True)
class Audited:
    """What was attacked, and on how many images. ``kind``: of subject."""

    name: str
    kind: str
    tested: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What an audit knows besides its results. ``legibility``: condition -> mean of the proxy."""

    design: Audited
    provenance: Provenance
    fold_case: bool
    prices: Prices
    flags: tuple[str, ...] = ()
    variants: Mapping[str, Changed] = field(default_factory=dict)
    legibility: Mapping[str, float] = field(default_factory=dict)
    drift: tuple[str, ...] = ()  # the conditions of the schedule, in order
    proposed: str | None = None  # the condition that all advice together amounts to, where it was drawn
    left_out: tuple[LeftOut, ...] = ()
    animated: int = 0  # tested images whose frames differ

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for two runs to be one audit."""
        known = self.provenance
        return {
            **known.subject,
            "number of tested images": self.design.tested,
            "seed": known.seed,
            "budgets": list(known.budgets),
            "fold_case": known.fold_case,
            "images_sha256": known.images_sha256,
            "version": known.version,
        }

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_facts(folder: Path) -> Facts:
    """The facts of the audit in ``folder``; ``DatasetError`` where it has none that can be read."""
    path = folder / FACTS
    try:
        return parse_record(Facts, path.read_bytes(), added=("animated",))
    except FileNotFoundError:
        raise DatasetError(f"{folder}: expected the folder of an audit, found no {FACTS}") from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


def build(facts: Facts, results: Sequence[Result]) -> dict[str, Any]:
    """The report, as ``report.json`` has it."""
    fold = facts.fold_case
    best = findings.best_of(results, fold_case=fold)
    curves = findings.curves(results, fold_case=fold)
    features = features_of(facts, results)
    report: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "design": asdict(facts.design),
        "provenance": {**asdict(facts.provenance), "models": _models(results)},
        "attacks": findings.attack_rows(results, fold_case=fold),
        "best": None if best is None else {"name": best.cell.attack, "labels": best.cell.labels},
        "within_budget": findings.within(results, max(facts.provenance.budgets, default=0), fold_case=fold),
        "curves": [findings.curve_row(each) for each in curves if len(each.points) > 1],
        "thresholds": findings.threshold_rows(best, curves, fold_case=fold) if best else [],
        "cost": findings.cost_row(best, facts.prices, fold_case=fold) if best else None,
        "confidence": findings.confidence_row(best, fold_case=fold) if best else None,
        "breakdown": [
            findings.break_row(each, fold_case=fold)
            for each in results
            if each.cell.condition == each.cell.trained_on == BASE
        ],
        "features": features,
        "perturbation": findings.feature_rows(results, _perturbed(results), {}, fold_case=fold),
        "drift": _drift(facts, results),
        "advice": advice_of(facts, results),
        "improved": _improved(facts, results),
        "left_out": [asdict(each) for each in facts.left_out],
        "inconclusive": [asdict(each) for each in reasons(results, animated=facts.animated, fold_case=fold)],
    }
    if report["inconclusive"]:
        _claim_nothing(report["thresholds"])
    report["flags"] = _flags(report, facts, results)
    return report


def features_of(facts: Facts, results: Sequence[Result]) -> list[dict[str, Any]]:
    """What each change of the design does, one row an attacker."""
    changes = {condition: (each.name, each.what) for condition, each in facts.variants.items() if each.severities}
    return findings.feature_rows(results, changes, facts.legibility, fold_case=facts.fold_case)


def advice_of(facts: Facts, results: Sequence[Result]) -> list[dict[str, Any]]:
    """What the owner of a design that can be changed is advised to do."""
    if facts.design.kind != "design":
        return []
    best = findings.best_of(results, fold_case=facts.fold_case)
    rate = findings.rate_of(best, fold_case=facts.fold_case) if best else None
    return advise(features_of(facts, results), rate)


def _improved(facts: Facts, results: Sequence[Result]) -> dict[str, Any] | None:
    """What the advice was predicted to do together, and what it did."""
    by_cell = {result.cell: result for result in results}
    before = by_cell.get(Cell(TRAINED, ADAPTED_LABELS))
    after = by_cell.get(Cell(TRAINED, ADAPTED_LABELS, facts.proposed, facts.proposed)) if facts.proposed else None
    if before is None or after is None or facts.proposed is None:
        return None
    advice = advice_of(facts, results)
    was, now = (findings.rate_of(each, fold_case=facts.fold_case) for each in (before, after))
    return {
        "condition": facts.proposed,
        "changes": proposal(advice),
        "before": was.value,
        "predicted": predicted(advice, was.value),
        "measured": now.value,
        "ci95": list(now.ci95),
        "n": now.n,
    }


def _drift(facts: Facts, results: Sequence[Result]) -> dict[str, Any] | None:
    if not facts.drift:
        return None
    curves = findings.curves(results, fold_case=facts.fold_case)
    names = [BASE, *facts.drift]
    rates = {
        (r.cell.trained_on, r.cell.condition): findings.rate_of(r, fold_case=facts.fold_case)
        for r in results
        if r.cell.attack == TRAINED and r.cell.labels == MATRIX_LABELS
    }
    matrix = [[rates.get((trained, tested)) for tested in names] for trained in names]
    return {
        "labels": MATRIX_LABELS,
        "steps": names,
        "matrix": [[rate and rate.value for rate in row] for row in matrix],
        "ci95": [[rate and list(rate.ci95) for rate in row] for row in matrix],
        "n": [[rate and rate.n for rate in row] for row in matrix],
        "recovered": [asdict(each) for each in recovered(results, facts.drift, TRAINED, fold_case=facts.fold_case)],
        "must_change": must_change(fewest(curves, KEPT_UNDER)),
    }


def _models(results: Sequence[Result]) -> dict[str, str]:
    """SHA-256 of each shipped model that attacked."""
    return {r.cell.attack: r.model_sha256 for r in results if r.cell.labels == 0 and r.model_sha256}


def _flags(report: Mapping[str, Any], facts: Facts, results: Sequence[Result]) -> list[str]:
    """What to mind when reading the report."""
    flags, tested = list(facts.flags), facts.design.tested
    if tested < FEW_TESTED:
        flags.append(f"only {tested} images were tested: nothing below {300 / tested:.1f} % can be told")
    flags += [
        f"the curve of {c['attack']} still rises: its rate is a lower bound" for c in report["curves"] if c["rising"]
    ]
    flags += [_overfitted(result, facts) for result in results if _overfits(result, facts)]
    flags += [f"{each['said']}: a low rate says little" for each in report["inconclusive"]]
    if report["left_out"]:
        flags.append(f"parts that were left out: {len(report['left_out'])}, see the end of the report")
    return flags


def _claim_nothing(thresholds: Sequence[dict[str, Any]]) -> None:
    """Where the attacks did not test a design, a low rate does not say that it holds."""
    for row in thresholds:
        if row["status"] == Verdict.HOLDS:
            row["status"] = str(Verdict.UNDECIDED)


def _overfits(result: Result, facts: Facts) -> bool:
    rate = findings.rate_of(result, fold_case=facts.fold_case).value
    own = result.train_accuracy
    same = result.cell.condition == result.cell.trained_on == BASE  # what another design was learnt from is no measure
    return same and own is not None and own - rate > OVERFITTED


def _overfitted(result: Result, facts: Facts) -> str:
    rate = findings.rate_of(result, fold_case=facts.fold_case).value
    taught = "a generator" if result.cell.labels == UNLIMITED else f"{result.cell.labels:,} labels"
    return (
        f"{result.cell.attack} with {taught} reads {result.train_accuracy:.0%} of its own labels, {rate:.0%} of others"
    )


def _perturbed(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """Condition -> (perturbation, what was done to the image afterwards)."""
    found = {}
    for result in results:
        name, _, wash = result.cell.condition.partition(", ")
        if any(name == how.name for how in PERTURBATIONS):
            found[result.cell.condition] = (name, wash)
    return found
