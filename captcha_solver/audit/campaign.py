"""A subject and settings in, all findings of its audit out; resumable, and what there was no time for is named."""

import platform
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from captcha_solver import __version__
from captcha_solver.audit.advice import proposal
from captcha_solver.audit.attacks import STOCK, untrainable
from captcha_solver.audit.cells import BASE, Cell, Ledger, Result
from captcha_solver.audit.drift import drift_cells, schedule
from captcha_solver.audit.features import Variant, at, names_of
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
from captcha_solver.audit.report import FACTS, Changed, Facts, advice_of, build, read_facts
from captcha_solver.audit.runner import Clock, LeftOut, Tell, run_stages
from captcha_solver.audit.settings import AuditSettings
from captcha_solver.audit.split import split
from captcha_solver.audit.subject import Subject
from captcha_solver.audit.workshop import Workshop
from captcha_solver.audit.writing import sheet, write_facts, write_report
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import OptionError

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "keras", "tensorflow", "ddddocr")


@dataclass
class Campaign:
    """One audit under way: what it attacks, how, where, and what it has found so far."""

    subject: Subject
    settings: AuditSettings
    out: Path
    tell: Tell = field(default=lambda *_: None)
    improve: bool = False
    _proposed: str | None = None  # the condition that all advice together amounts to

    def run(self) -> dict[str, Any]:
        """Do all that fits into the minutes; the report, which is written into ``out``."""
        writable_folder(self.out)
        workshop = self.workshop()
        self._begin(workshop)
        ledger = Ledger(self.out)
        clock = Clock(self.settings.minutes)
        left_out: list[LeftOut] = []
        while stages := self.due(workshop, ledger.results, [each.cell for each in left_out]):
            left_out += run_stages(stages, workshop, ledger, clock, self.tell)
        ledger.settle()
        return self.finish(workshop, ledger.results, left_out)

    def _begin(self, workshop: Workshop) -> None:
        """Say in the folder what is audited there; ``OptionError`` where it holds the audit of something else."""
        facts = self.facts(workshop)
        if (self.out / FACTS).exists():
            known = read_facts(self.out).identity
            if differing := sorted(key for key in facts.identity if facts.identity[key] != known.get(key)):
                raise OptionError(
                    f"{self.out}: expected a new folder, or that of the same audit, received one with another "
                    f"{' and '.join(differing)}"
                )
        write_facts(facts, self.out)

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
        facts = self.facts(workshop, results, left_out)
        report = build(facts, results)
        write_report(facts, report, self.out, sheet(workshop, results, fold_case=self.settings.fold_case))
        return report

    def facts(self, workshop: Workshop, results: Sequence[Result] = (), left_out: Sequence[LeftOut] = ()) -> Facts:
        """What the report rests on besides the results."""
        tested = {result.cell.condition for result in results}
        design = self.subject.design
        names = names_of(design) if design else []
        variants = {
            condition: Changed(tuple((names[place], severity) for place, severity in variant.changed))
            for condition, variant in workshop.variants.items()
            if condition in tested
        }
        return Facts(
            design={"name": self.subject.name, "kind": self.subject.kind, "tested": len(workshop.split.tested)},
            provenance=self._provenance(workshop),
            fold_case=self.settings.fold_case,
            prices=self.settings.prices,
            flags=(*workshop.split.flags, *self._missing()),
            variants=variants,
            legibility=workshop.legibility([BASE, *variants] if variants else []),
            drift=tuple(each.condition for each in schedule(design)) if design else (),
            proposed=self._proposed if self._proposed in tested else None,
            left_out=tuple({"cell": asdict(each.cell), "why": each.why} for each in left_out),
        )

    def _proposal(self, advice: Sequence[Mapping[str, Any]]) -> Variant | None:
        """The design with all of the advice followed; None where there is none to follow, or it was not asked for."""
        design, changes = self.subject.design, proposal(advice)
        if not self.improve or design is None or not changes:
            return None
        return at(design, _places(names_of(design), changes))

    def _stages_one(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        return self._doable(first_stages(self.subject, self.settings, len(workshop.split.pool)))

    def _stages_two(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        stages, variants = feature_stages(self.subject.design)
        workshop.variants |= variants
        return self._doable(stages)

    def _stages_three(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        effects = effects_of(results, workshop.variants, fold_case=self.settings.fold_case)
        stage, variants = pair_stage(self.subject.design, effects)
        workshop.variants |= variants
        return self._doable([stage])

    def _stages_four(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        stages = [perturbation_stage(len(workshop.split.pool))]
        if self.subject.design is not None:
            steps = schedule(self.subject.design)
            workshop.variants |= {variant.condition: variant for variant in steps}
            stages.append(Stage("drift", tuple(drift_cells(steps, TRAINED))))
        return self._doable(stages)

    def _stages_five(self, workshop: Workshop, results: Sequence[Result]) -> list[Stage]:
        """The proposal of ``--improve``, once all that it rests on is measured."""
        if not self.improve or self.subject.design is None:
            return []
        variant = self._proposal(advice_of(self.facts(workshop, results), results))
        if variant is None:
            return []
        self._proposed = variant.condition
        workshop.variants[variant.condition] = variant
        return self._doable([Stage("the proposal", (_adapted(variant),))])

    def _doable(self, stages: Sequence[Stage]) -> list[Stage]:
        """Without the cells that need a training, where none was asked for, or none can be made."""
        if max(self.settings.budgets) > 0 and self._untrainable is None:
            return list(stages)
        return [Stage(each.name, tuple(cell for cell in each.cells if cell.labels == 0)) for each in stages]

    @cached_property
    def _untrainable(self) -> str | None:
        return untrainable()

    def _missing(self) -> list[str]:
        """What was not tried for want of a program or a library."""
        told = [f"{attack.name} was not tried: {attack.missing()}" for attack in STOCK if attack.missing()]
        if max(self.settings.budgets) > 0 and self._untrainable:
            told.append(f"no attacker was trained: {self._untrainable}")
        return told

    def _provenance(self, workshop: Workshop) -> dict[str, Any]:
        return {
            "subject": dict(self.subject.provenance()),
            "seed": self.settings.seed,
            "fold_case": self.settings.fold_case,
            "budgets": list(self.settings.budgets),
            "minutes": self.settings.minutes,
            "labelled": len(workshop.split.pool),
            "duplicates": workshop.split.duplicates,
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: found for name in PACKAGES if (found := _version(name))},
            "device": "cpu",  # stock OCR and the shipped networks run in ONNX Runtime on a CPU
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }


def _adapted(variant: Variant) -> Cell:
    """An attacker trained on a changed design and tested on it."""
    return Cell(TRAINED, ADAPTED_LABELS, variant.condition, variant.condition)


def _places(names: Sequence[str], changes: Mapping[str, float]) -> list[tuple[int, float]]:
    """(place, severity) of distortions that are changed by name."""
    return [(names.index(name), severity) for name, severity in changes.items() if name in names]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
