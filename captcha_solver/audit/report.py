"""The report of an audit: every figure a pure function of what the audit knows of itself and of its results.

The audit writes its facts into ``audit.json`` beside the trials, so that whoever has the folder can compute the same
report again. The JSON Schema of ``report.json`` is made from the types of this module.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

import msgspec

from captcha_solver.audit.attackers.perturb import PERTURBED_CONDITIONS
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result
from captcha_solver.audit.facts import Audited, Facts
from captcha_solver.audit.figures import Count, Interval, Sha256, Share, said
from captcha_solver.audit.findings import findings
from captcha_solver.audit.findings.advice import advise, predicted, proposal
from captcha_solver.audit.findings.drift import DriftRow, drift_row
from captcha_solver.audit.findings.findings import Altered
from captcha_solver.audit.findings.inconclusive import Reason, reasons
from captcha_solver.audit.findings.rows import (
    AdviceRow,
    AttackAndBudget,
    AttackRow,
    BreakdownRow,
    ConfidenceRow,
    CostRow,
    CurveRow,
    Effect,
    RateRow,
    ThresholdRow,
)
from captcha_solver.audit.findings.verdicts import Verdict
from captcha_solver.audit.plan import ADAPTED_LABELS, TRAINED
from captcha_solver.audit.provenance import Provenance
from captcha_solver.audit.runner import LeftOut
from captcha_solver.records import parse_record

SCHEMA_VERSION: Literal[1] = 1
SCHEMA_FILE = "report.schema.json"  # beside this module
FEW_TESTED = 300  # 0 solved of so many bounds the rate by 1 %
OVERFITTED = 0.3  # how much more of its own labels than of the tested images an attacker reads, to be flagged


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedProvenance(Provenance):
    """Where the figures come from, and the models that attacked."""

    models: Annotated[Mapping[str, Sha256], said("Attack -> SHA-256 of the shipped model that it starts from.")]


@dataclass(frozen=True, slots=True)
class Improved:
    """What all advice together was predicted to do, and did."""

    condition: Annotated[str, said("The changed design.")]
    changes: Annotated[Mapping[str, float], said("Distortion -> severity.")]
    before: Annotated[Share, said("Rate of the same attacker on the design as it is.")]
    predicted: Annotated[Share, said("The single effects added up.")]
    measured: Annotated[Share, said("Rate of an adaptive attacker on the changed design.")]
    ci95: Annotated[Interval, said("95 % Wilson interval of the measured rate.")]
    n: Annotated[Count, said("Images that the measured rate rests on.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How robust a design is, as ``report.json`` has it. A field with a default was added to version 1 later."""

    schema_version: Annotated[Literal[1], said("Version of this schema.")]
    design: Annotated[Audited, said("What was attacked.")]
    provenance: Annotated[
        ReportedProvenance, said("Where the figures come from, and what is needed to measure them again.")
    ]
    attacks: Annotated[
        tuple[AttackRow, ...],
        said("One row an attack and budget on the design as it is; where there are several, two of all together."),
    ]
    best: Annotated[
        AttackAndBudget | None,
        said("The attack that reads most; of equals the one with fewer labels; null where nothing was measured."),
    ]
    within_budget: Annotated[
        RateRow | None,
        said(
            "What --fail-above goes by: the best of one attack and of the surest answer of all, for no more labels "
            "than the largest of the budgets; null where none was tried."
        ),
    ]
    curves: Annotated[tuple[CurveRow, ...], said("The label curve of each attack that was tried with several budgets.")]
    thresholds: Annotated[tuple[ThresholdRow, ...], said("What each published mark says of the best attack.")]
    cost: Annotated[CostRow | None, said("What the best attack costs; null where nothing was measured.")]
    confidence: Annotated[
        ConfidenceRow | None,
        said("What the best attacker gets who answers only where they are sure; null where nothing was measured."),
    ]
    breakdown: Annotated[tuple[BreakdownRow, ...], said("Where each attack fails on the design as it is.")]
    features: Annotated[
        tuple[Effect, ...],
        said(
            "What each change of the design does to an attacker: one row a change and attacker; empty where the design "
            "cannot be changed."
        ),
    ]
    perturbation: Annotated[
        tuple[Effect, ...],
        said("The same of adversarial perturbations of the images; name is the perturbation, what the wash after it."),
    ]
    drift: Annotated[
        DriftRow | None,
        said("What a schedule of changes does to an attacker; null where the design cannot be changed."),
    ]
    advice: Annotated[tuple[AdviceRow, ...], said("What to change, from the measured effects; the strongest first.")]
    improved: Annotated[
        Improved | None,
        said("What all advice together was predicted to do, and did; null without --improve, or without advice."),
    ]
    left_out: Annotated[tuple[LeftOut, ...], said("Parts of the audit that were not done.")]
    inconclusive: Annotated[
        tuple[Reason, ...],
        said("Why a low rate says nothing of this design; reports of before these were looked for lack it."),
    ] = ()
    flags: Annotated[tuple[str, ...], said("The caveats to keep in mind when reading the report, in words.")]

    def to_json(self, indent: int = 1, *, ascii_only: bool = False) -> str:
        """The text of ``report.json``."""
        return json.dumps(msgspec.to_builtins(self), indent=indent, ensure_ascii=ascii_only)


def parse_report(text: bytes) -> Report:
    """A ``report.json``; ``ValueError`` where it is none of this version. Fields of later ones are passed over."""
    return parse_record(Report, text, exact=False)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``report.json``."""
    parts = msgspec.json.schema(Report)["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:captcha-solver:audit-report:{SCHEMA_VERSION}",
        "title": "report.json of captcha-solver audit",
        "description": (
            "How robust a CAPTCHA design is: every figure is a function of audit.json, trials.jsonl and cells.jsonl "
            "beside it."
        ),
        **{key: value for key, value in parts.pop(Report.__name__).items() if key not in {"title", "description"}},
        "$defs": parts,
    }


def build(facts: Facts, results: Sequence[Result]) -> Report:
    """The report on an audit's results."""
    fold = facts.fold_case
    best = findings.best_of(results, fold_case=fold)
    curves = findings.curves(results, fold_case=fold)
    inconclusive = tuple(reasons(results, animated=facts.animated, fold_case=fold))
    thresholds = findings.threshold_rows(best, curves, fold_case=fold) if best else ()
    report = Report(
        schema_version=SCHEMA_VERSION,
        design=facts.design,
        provenance=_provenance(facts.provenance, results),
        attacks=findings.attack_rows(results, fold_case=fold),
        best=None if best is None else AttackAndBudget(best.cell.attack, best.cell.labels),
        within_budget=findings.within(results, max(facts.provenance.budgets, default=0), fold_case=fold),
        curves=tuple(findings.curve_row(each) for each in curves if len(each.points) > 1),
        thresholds=_claiming_nothing(thresholds) if inconclusive else thresholds,
        cost=findings.cost_row(best, facts.prices, fold_case=fold) if best else None,
        confidence=findings.confidence_row(best, fold_case=fold) if best else None,
        breakdown=tuple(
            findings.break_row(each, fold_case=fold)
            for each in results
            if each.cell.condition == each.cell.trained_on == BASE
        ),
        features=features_of(facts, results),
        perturbation=findings.effects(results, _perturbed(), {}, fold_case=fold),
        drift=drift_row(results, facts.drift, fold_case=fold) if facts.drift else None,
        advice=advice_of(facts, results),
        improved=_improved(facts, results),
        left_out=facts.left_out,
        inconclusive=inconclusive,
        flags=facts.flags,
    )
    return replace(report, flags=(*facts.flags, *_flags(report, facts, results)))


def features_of(facts: Facts, results: Sequence[Result]) -> tuple[Effect, ...]:
    """What each change of the design does, one row an attacker."""
    altered = {
        condition: Altered(each.name, each.what, {name: float(at) for name, at in each.severities})
        for condition, each in facts.variants.items()
        if each.severities
    }
    return findings.effects(results, altered, facts.legibility, fold_case=facts.fold_case)


def advice_of(facts: Facts, results: Sequence[Result]) -> tuple[AdviceRow, ...]:
    """What the owner of a design that can be changed is advised to do."""
    if facts.design.kind != "design":
        return ()
    best = findings.best_of(results, fold_case=facts.fold_case)
    rate = findings.rate_of(best, fold_case=facts.fold_case) if best else None
    return advise(features_of(facts, results), rate)


def _provenance(known: Provenance, results: Sequence[Result]) -> ReportedProvenance:
    """With the SHA-256 of each shipped model that attacked."""
    models = {r.cell.attack: r.model_sha256 for r in results if r.cell.labels == 0 and r.model_sha256}
    return ReportedProvenance(**{each.name: getattr(known, each.name) for each in fields(known)}, models=models)


def _improved(facts: Facts, results: Sequence[Result]) -> Improved | None:
    """What the advice was predicted to do together, and what it did."""
    by_cell = {result.cell: result for result in results}
    before = by_cell.get(Cell(TRAINED, ADAPTED_LABELS))
    after = by_cell.get(Cell(TRAINED, ADAPTED_LABELS, facts.proposed, facts.proposed)) if facts.proposed else None
    if before is None or after is None or facts.proposed is None:
        return None
    advice = advice_of(facts, results)
    was, now = (findings.rate_of(each, fold_case=facts.fold_case) for each in (before, after))
    return Improved(
        condition=facts.proposed,
        changes=proposal(advice),
        before=was.value,
        predicted=predicted(advice, was.value),
        measured=now.value,
        ci95=now.ci95,
        n=now.n,
    )


def _flags(report: Report, facts: Facts, results: Sequence[Result]) -> list[str]:
    """The caveats that follow from the figures."""
    flags, tested = [], facts.design.tested
    if tested < FEW_TESTED:
        flags.append(f"only {tested} images were tested: nothing below {300 / tested:.1f} % can be told")
    flags += [f"the curve of {c.attack} still rises: its rate is a lower bound" for c in report.curves if c.rising]
    flags += [_overfitted(result, facts) for result in results if _overfits(result, facts)]
    flags += [f"{each.said}: a low rate says little" for each in report.inconclusive]
    if report.left_out:
        flags.append(f"parts that were left out: {len(report.left_out)}, see the end of the report")
    return flags


def _claiming_nothing(thresholds: Sequence[ThresholdRow]) -> tuple[ThresholdRow, ...]:
    """Where the attacks did not test a design, a low rate does not say that it holds."""
    return tuple(replace(row, status=Verdict.UNDECIDED) if row.status == Verdict.HOLDS else row for row in thresholds)


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


def _perturbed() -> dict[str, Altered]:
    """What was done to the images under each condition with a perturbation."""
    return {
        condition: Altered(each.how.name, each.wash or "", {}, each.wash)
        for condition, each in PERTURBED_CONDITIONS.items()
    }
