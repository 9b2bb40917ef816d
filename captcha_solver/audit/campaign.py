"""A subject and settings in, all findings of its audit out; resumable, and what there was no time for is named."""

import platform
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from captcha_solver import __version__
from captcha_solver.audit import findings
from captcha_solver.audit.advice import advise, predicted, proposal
from captcha_solver.audit.attacks import STOCK
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Ledger, Result
from captcha_solver.audit.curves import Curve
from captcha_solver.audit.drift import MATRIX_LABELS, drift_cells, must_change, recovered, schedule
from captcha_solver.audit.features import Variant, at, names_of
from captcha_solver.audit.legibility import legibility
from captcha_solver.audit.perturb import PERTURBATIONS
from captcha_solver.audit.plan import (
    ADAPTED_LABELS,
    TRAINED,
    Stage,
    effects_of,
    feature_stages,
    first_stages,
    pair_stage,
    perturbation_stage,
)
from captcha_solver.audit.runner import Clock, LeftOut, Tell, run_stages
from captcha_solver.audit.settings import AuditSettings
from captcha_solver.audit.split import split
from captcha_solver.audit.subject import Subject
from captcha_solver.audit.workshop import Workshop
from captcha_solver.audit.writing import sheet, write_report
from captcha_solver.dataset import writable_folder

SCHEMA_VERSION = 1
FEW_TESTED = 300  # 0 solved of so many bounds the rate by 1 %
LEGIBLE_TEXTS = 200
OVERFITTED = 0.3  # how much more of its own labels than of the tested images an attacker reads, to be flagged


@dataclass(slots=True)
class Campaign:
    """One audit under way: what it attacks, how, where, and what it has found so far."""

    subject: Subject
    settings: AuditSettings
    out: Path
    tell: Tell = field(default=lambda *_: None)
    improve: bool = False

    def run(self) -> dict[str, Any]:
        """Do all that fits into the minutes; the report, which is written into ``out``."""
        writable_folder(self.out)
        ledger = Ledger(self.out)
        workshop = self.workshop()
        clock = Clock(self.settings.minutes)
        left_out: list[LeftOut] = []
        while stages := self.due(workshop, ledger.results, [each.cell for each in left_out]):
            left_out += run_stages(stages, workshop, ledger, clock, self.tell)
        return self.finish(workshop, ledger.results, left_out)

    def workshop(self) -> Workshop:
        """Where the cells are done, with the subject's images divided."""
        most = max((labels for labels in self.settings.budgets), default=0)
        wanted = max(most, ADAPTED_LABELS if self.subject.design else 0)
        parts = split(self.subject, labels=wanted, tested=self.settings.tested, seed=self.settings.seed)
        return Workshop(self.subject, parts, self.settings, self.out)

    def due(self, workshop: Workshop, results: Sequence[Result], left_out: Collection[Cell] = ()) -> list[Stage]:
        """The stages that can be done now: of the first phase with cells neither done nor left out; none at the end.

        Later phases depend on what earlier ones measured. The same results always give the same cells, wherever they
        were done.
        """
        over = {result.cell for result in results} | set(left_out)
        for phase in (self._stages_one, self._stages_two, self._stages_three, self._stages_four, self._stages_five):
            stages = [
                Stage(each.name, tuple(c for c in each.cells if c not in over)) for each in phase(workshop, results)
            ]
            if stages := [each for each in stages if each.cells]:
                return stages
        return []

    def finish(self, workshop: Workshop, results: Sequence[Result], left_out: Sequence[LeftOut]) -> dict[str, Any]:
        """Write the report on what was done; it is also returned."""
        self.due(workshop, results, [each.cell for each in left_out])  # names the variants that the results speak of
        report = self._report(workshop, results, left_out)
        report["improved"] = self._improved(report, results)
        write_report(report, self.out, sheet(workshop, results, fold_case=self.settings.fold_case))
        return report

    def _improved(self, report: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any] | None:
        """What the advice was predicted to do together, and what it did."""
        variant = self._proposal(report["advice"])
        if variant is None:
            return None
        by_cell = {result.cell: result for result in results}
        before, after = (by_cell.get(cell) for cell in (Cell(TRAINED, ADAPTED_LABELS), _adapted(variant)))
        if before is None or after is None:
            return None
        was, now = (findings.rate_of(each, fold_case=self.settings.fold_case) for each in (before, after))
        return {
            "condition": variant.condition,
            "before": was.value,
            "predicted": predicted(report["advice"], was.value),
            "measured": now.value,
            "ci95": list(now.ci95),
            "n": now.n,
        }

    def _proposal(self, advice: Sequence[Mapping[str, Any]]) -> Variant | None:
        """The design with all of the advice followed; None where there is none to follow, or it was not asked for."""
        design, changes = self.subject.design, proposal(advice)
        if not self.improve or design is None or not changes:
            return None
        return at(design, _places(names_of(design), changes))

    def _stages_one(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        return first_stages(self.subject, self.settings, len(workshop.split.pool))

    def _stages_two(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        stages, variants = feature_stages(self.subject.design)
        workshop.variants |= variants
        return stages

    def _stages_three(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        effects = effects_of(results, workshop.variants, fold_case=self.settings.fold_case)
        stage, variants = pair_stage(self.subject.design, effects)
        workshop.variants |= variants
        return [stage]

    def _stages_four(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        stages = [perturbation_stage(len(workshop.split.pool))]
        if self.subject.design is not None:
            steps = schedule(self.subject.design)
            workshop.variants |= {variant.condition: variant for variant in steps}
            stages.append(Stage("drift", tuple(drift_cells(steps, TRAINED))))
        return stages

    def _stages_five(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        """The proposal of ``--improve``, once all that it rests on is measured."""
        if not self.improve or self.subject.design is None:
            return []
        best = findings.best_of(results, fold_case=self.settings.fold_case)
        rate = findings.rate_of(best, fold_case=self.settings.fold_case) if best else None
        variant = self._proposal(advise(self._features(workshop, results), rate))
        if variant is None:
            return []
        workshop.variants[variant.condition] = variant
        return [Stage("the proposal", (_adapted(variant),))]

    def _report(self, workshop: Workshop, results: Sequence[Result], left_out: Sequence[LeftOut]) -> dict[str, Any]:
        fold = self.settings.fold_case
        best = findings.best_of(results, fold_case=fold)
        curves = findings.curves(results, fold_case=fold)
        curve = next((c for c in curves if best and c.attack == best.cell.attack), None)
        features = self._features(workshop, results)
        report: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "design": {"name": self.subject.name, "kind": self.subject.kind, "tested": len(workshop.split.tested)},
            "provenance": self._provenance(),
            "attacks": findings.attack_rows(results, fold_case=fold),
            "best": None if best is None else {"name": best.cell.attack, "labels": best.cell.labels},
            "curves": [findings.curve_row(each) for each in curves],
            "thresholds": findings.threshold_rows(best, curve, fold_case=fold) if best else [],
            "cost": findings.cost_row(best, self.settings.prices, fold_case=fold) if best else None,
            "confidence": findings.confidence_row(best, fold_case=fold) if best else None,
            "breakdown": [
                findings.break_row(each, fold_case=fold)
                for each in results
                if each.cell.condition == each.cell.trained_on == BASE
            ],
            "features": features,
            "perturbation": findings.feature_rows(results, _perturbed(results), {}, fold_case=fold),
            "drift": self._drift(results, curve),
            "advice": advise(features, findings.rate_of(best, fold_case=fold) if best else None),
            "improved": None,
            "left_out": [{"cell": asdict(each.cell), "why": each.why} for each in left_out],
        }
        report["flags"] = self._flags(report, workshop, results)
        return report

    def _features(self, workshop: Workshop, results: Sequence[Result]) -> list[dict[str, Any]]:
        design = self.subject.design
        if design is None:
            return []
        names = names_of(design)
        changes = {
            condition: (" + ".join(names[place] for place, _ in variant.changed), _what(variant))
            for condition, variant in workshop.variants.items()
            if variant.changed
        }
        tested = {r.cell.condition for r in results} & {BASE, *changes}
        texts = [sample.text for sample in workshop.split.tested[:LEGIBLE_TEXTS]]
        designs = {BASE: design, **{name: workshop.variants[name].design for name in changes}}
        legible = {name: legibility(designs[name], texts, self.settings.seed).tolist() for name in sorted(tested)}
        return findings.feature_rows(results, changes, legible, fold_case=self.settings.fold_case)

    def _drift(self, results: Sequence[Result], curve: Curve | None) -> dict[str, Any] | None:
        if self.subject.design is None:
            return None
        fold = self.settings.fold_case
        steps = schedule(self.subject.design)
        names = [BASE, *(variant.condition for variant in steps)]
        rates = {
            (r.cell.trained_on, r.cell.condition): findings.rate_of(r, fold_case=fold).value
            for r in results
            if r.cell.attack == TRAINED and r.cell.labels == MATRIX_LABELS
        }
        return {
            "labels": MATRIX_LABELS,
            "steps": names,
            "matrix": [[rates.get((trained, tested)) for tested in names] for trained in names],
            "recovered": [asdict(each) for each in recovered(results, steps, TRAINED, fold_case=fold)],
            "must_change": must_change(curve.needed(0.01) if curve else None),
        }

    def _provenance(self) -> dict[str, Any]:
        return {
            "subject": dict(self.subject.provenance()),
            "seed": self.settings.seed,
            "settings": {key: value for key, value in asdict(self.settings).items() if key != "prices"},
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: found for name in ("numpy", "onnxruntime", "keras") if (found := _version(name))},
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    def _flags(self, report: Mapping[str, Any], workshop: Workshop, results: Sequence[Result]) -> list[str]:
        """What to mind when reading the report."""
        flags = list(workshop.split.flags)
        tested = len(workshop.split.tested)
        if tested < FEW_TESTED:
            flags.append(f"only {tested} images were tested: nothing below {300 / tested:.1f} % can be told")
        rising = [curve["attack"] for curve in report["curves"] if curve["rising"]]
        flags += [f"the curve of {attack} still rises: its rate is a lower bound" for attack in rising]
        flags += [f"{attack.name} was not tried: {attack.missing()}" for attack in STOCK if attack.missing()]
        for result in results:
            rate = findings.rate_of(result, fold_case=self.settings.fold_case).value
            own = result.train_accuracy
            if result.cell.condition == BASE and own is not None and own - rate > OVERFITTED:
                who = f"{result.cell.attack} with {_labels(result.cell)}"
                flags.append(f"{who} reads {own:.0%} of its own labels, {rate:.0%} of others")
        if report["left_out"]:
            flags.append(f"{len(report['left_out'])} parts were left out for want of time: see left_out")
        return flags


def _adapted(variant: Variant) -> Cell:
    """An attacker trained on a changed design and tested on it."""
    return Cell(TRAINED, ADAPTED_LABELS, variant.condition, variant.condition)


def _places(names: Sequence[str], changes: Mapping[str, float]) -> list[tuple[int, float]]:
    """(place, severity) of distortions that are changed by name."""
    return [(names.index(name), severity) for name, severity in changes.items() if name in names]


def _perturbed(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """Condition -> (perturbation, what was done to the image afterwards)."""
    found = {}
    for result in results:
        for how in PERTURBATIONS:
            if result.cell.condition.startswith(how.name):
                found[result.cell.condition] = (how.name, result.cell.condition.removeprefix(how.name).lstrip(", "))
    return found


def _what(variant: Variant) -> str:
    return ", ".join("removed" if severity == 0 else f"at {severity:g}" for _, severity in variant.changed)


def _labels(cell: Cell) -> str:
    return "a generator" if cell.labels == UNLIMITED else f"{cell.labels} labels"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
