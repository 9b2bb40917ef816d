"""An audit from its subject to its report; it can be resumed, and what there was no time for is named."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from captcha_solver.audit.attackers.attacks import STOCK, untrainable
from captcha_solver.audit.attackers.cell_runner import CellRunner
from captcha_solver.audit.cells import BASE, Cell, Ledger, Result
from captcha_solver.audit.facts import FACTS, Audited, Changed, Facts, read_facts
from captcha_solver.audit.findings.advice import proposal
from captcha_solver.audit.findings.drift import drift_cells, schedule
from captcha_solver.audit.findings.rows import AdviceRow
from captcha_solver.audit.plan import (
    ADAPTED_LABELS,
    TRAINED,
    Stage,
    budgets_for,
    effects_of,
    feature_stages,
    first_stages,
    label_stages,
    pair_stage,
    perturbation_stage,
    trained_anew,
)
from captcha_solver.audit.provenance import provenance_here
from captcha_solver.audit.report import Report, advice_of, build
from captcha_solver.audit.runner import Clock, LeftOut, Tell, run_stages
from captcha_solver.audit.subjects.split import split
from captcha_solver.audit.subjects.subject import Subject
from captcha_solver.audit.subjects.variants import Variant, at, names_of
from captcha_solver.audit.writing import sheet, write_facts, write_report
from captcha_solver.audit_settings import AuditSettings, Scope
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import OptionError, SetupError
from captcha_solver.report_files import CELLS, TRIALS

Phase = Callable[[CellRunner, Sequence[Result]], list[Stage]]
"""What can be done once the phases before it are over, given what they found."""

RESUMED = "what is finished is kept; the same command resumes the audit"


@dataclass
class Campaign:
    """One audit under way: what it attacks, how, where, and what it has found so far."""

    subject: Subject
    settings: AuditSettings
    out: Path
    tell: Tell = field(default=lambda *_: None)
    improve: bool = False
    _proposed: str | None = None  # the condition that all advice together amounts to

    def run(self) -> Report:
        """Do all that fits into the minutes; the report, which is written into ``out``."""
        clock = Clock(self.settings.minutes)
        writable_folder(self.out)
        try:
            return self._run(clock)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"interrupted; {RESUMED}") from error
        except OSError as error:  # a full disk, most likely
            where = error.filename or self.out
            raise SetupError(f"{where}: {error.strerror or error}; {RESUMED}") from error

    def _run(self, clock: Clock) -> Report:
        cell_runner = self.cell_runner()
        self._begin(cell_runner)
        ledger = Ledger(self.out)
        left_out: list[LeftOut] = []
        try:
            while stages := self.due(cell_runner, ledger.results, over := [each.cell for each in left_out]):
                known = {*over, *(cell for each in stages for cell in each.cells)}
                later = self._later(cell_runner, ledger.results, known)
                left_out += run_stages(stages, cell_runner, ledger, clock, self.tell, later)
        except KeyboardInterrupt:
            write_facts(self.facts(cell_runner, ledger.results, left_out), self.out)  # for a report on what is finished
            raise
        ledger.settle()
        return self.finish(cell_runner, ledger.results, left_out)

    def _begin(self, cell_runner: CellRunner) -> None:
        """Say in the folder what is audited there; ``OptionError`` where it holds the audit of something else."""
        facts = self.facts(cell_runner)
        if (self.out / FACTS).exists():
            known = read_facts(self.out).identity
            differing = [
                f"{key} {_short(value)}, received {_short(known.get(key))}"
                for key, value in facts.identity.items()
                if value != known.get(key)
            ]
            if differing:
                raise OptionError(
                    f"{self.out}: expected a new folder, or that of the same audit: {'; expected '.join(differing)}"
                )
        elif found := [name for name in (TRIALS, CELLS) if (self.out / name).exists()]:
            raise OptionError(f"{self.out}: expected a new folder, received one with {found[0]} and no {FACTS}")
        write_facts(facts, self.out)

    def _later(self, cell_runner: CellRunner, results: Sequence[Result], known: Collection[Cell]) -> list[Cell]:
        """Cells that will be due after those known, as far as can be told by now."""
        done = {result.cell for result in results}
        cells = [cell for phase in self._phases for stage in phase(cell_runner, results) for cell in stage.cells]
        return [cell for cell in dict.fromkeys(cells) if cell not in done and cell not in known]

    def cell_runner(self) -> CellRunner:
        """Where the cells are done, with the subject's images divided."""
        most = max((labels for labels in self.settings.budgets), default=0)
        adapts = self.subject.design is not None and self.settings.scope == Scope.FULL
        wanted = max(most, ADAPTED_LABELS if adapts else 0)
        parts = split(self.subject, labels=wanted, tested=self.settings.tested, seed=self.settings.seed)
        return CellRunner(self.subject, parts, self.settings, self.out)

    def due(self, cell_runner: CellRunner, results: Sequence[Result], left_out: Collection[Cell] = ()) -> list[Stage]:
        """The stages that can be done now: of the first phase with cells neither done nor left out; none at the end.

        Later phases depend on what earlier ones measured. The same results always give the same cells, wherever they
        were done.
        """
        over = {result.cell for result in results} | set(left_out)
        for phase in self._phases:
            stages = [
                Stage(each.name, tuple(c for c in each.cells if c not in over)) for each in phase(cell_runner, results)
            ]
            if stages := [each for each in stages if each.cells]:
                return stages
        return []

    def finish(self, cell_runner: CellRunner, results: Sequence[Result], left_out: Sequence[LeftOut]) -> Report:
        """Write the report on what was done; it is also returned."""
        self.due(cell_runner, results, [each.cell for each in left_out])  # names the variants that the results speak of
        facts = self.facts(cell_runner, results, left_out)
        write_facts(facts, self.out)
        report = build(facts, results)
        write_report(report, self.out, sheet(cell_runner, results, fold_case=self.settings.fold_case))
        return report

    def facts(self, cell_runner: CellRunner, results: Sequence[Result] = (), left_out: Sequence[LeftOut] = ()) -> Facts:
        """What the report rests on besides the results."""
        tested = {result.cell.condition for result in results}
        design = self.subject.design
        names = names_of(design) if design else []
        variants = {
            condition: Changed(tuple((names[place], severity) for place, severity in variant.changed))
            for condition, variant in cell_runner.variants.items()
            if condition in tested
        }
        return Facts(
            design=Audited(self.subject.name, self.subject.kind, len(cell_runner.split.tested)),
            provenance=provenance_here(self.subject, cell_runner.split, self.settings),
            fold_case=self.settings.fold_case,
            prices=self.settings.prices,
            flags=(*cell_runner.split.flags, *self._missing(), *self._dropped(len(cell_runner.split.pool))),
            variants=variants,
            legibility=cell_runner.legibility([BASE, *variants] if variants else []),
            drift=tuple(each.condition for each in schedule(design)) if design else (),
            proposed=self._proposed if self._proposed in tested else None,
            left_out=tuple(left_out),
            animated=cell_runner.split.animated,
        )

    def _proposal(self, advice: Sequence[AdviceRow]) -> Variant | None:
        """The design with all of the advice followed; None where there is none to follow, or it was not asked for."""
        design, changes = self.subject.design, proposal(advice)
        if not self.improve or design is None or not changes:
            return None
        return at(design, _places(names_of(design), changes))

    @property
    def _phases(self) -> Sequence[Phase]:
        if self.settings.scope == Scope.LABELS:
            return (self._stages_labels,)
        return (
            self._stages_first,
            self._stages_features,
            self._stages_proposal,
            self._stages_pairs,
            self._stages_perturbed,
        )

    def _stages_labels(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        """The label curve, without an attacker who has the generator itself."""
        return self._doable(label_stages(self.settings, len(cell_runner.split.pool)))

    def _stages_first(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        return self._doable(first_stages(self.subject, self.settings, len(cell_runner.split.pool)))

    def _stages_features(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        stages, variants = feature_stages(self.subject.design)
        cell_runner.variants |= variants
        return self._doable(stages)

    def _stages_pairs(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        if self.subject.design is None:
            return []
        effects = effects_of(results, cell_runner.variants, fold_case=self.settings.fold_case)
        stage, variants = pair_stage(self.subject.design, effects)
        cell_runner.variants |= variants
        return self._doable([stage])

    def _stages_perturbed(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        """What an owner could add to a design, and what they could change of it from time to time."""
        stages = []
        if self._untrainable is None:  # a perturbation needs the network's gradient
            stages.append(perturbation_stage(len(cell_runner.split.pool)))
        if self.subject.design is not None:
            steps = schedule(self.subject.design)
            cell_runner.variants |= {variant.condition: variant for variant in steps}
            stages.append(Stage("drift", tuple(drift_cells(steps, TRAINED))))
        return self._doable(stages)

    def _stages_proposal(self, cell_runner: CellRunner, results: Sequence[Result]) -> list[Stage]:
        """The proposal of ``--improve``, once all that it rests on is measured."""
        if not self.improve or self.subject.design is None:
            return []
        variant = self._proposal(advice_of(self.facts(cell_runner, results), results))
        if variant is None:
            return []
        self._proposed = variant.condition
        cell_runner.variants[variant.condition] = variant
        return self._doable([Stage("the proposal", (trained_anew(variant),))])

    def _doable(self, stages: Sequence[Stage]) -> list[Stage]:
        """Without the cells that need a training, where none was asked for, or none can be made."""
        if max(self.settings.budgets) > 0 and self._untrainable is None:
            return list(stages)
        return [Stage(each.name, tuple(cell for cell in each.cells if cell.labels == 0)) for each in stages]

    @cached_property
    def _untrainable(self) -> str | None:
        return untrainable()

    def _missing(self) -> list[str]:
        """What was not tried for want of a program or a library, and what to install for it."""
        told = [f"{attack.name} was not tried: {attack.missing()}" for attack in STOCK if attack.missing()]
        if max(self.settings.budgets) > 0 and self._untrainable:
            told.append(f"no attacker was trained: {self._untrainable}")
        return told

    def _dropped(self, pool: int) -> list[str]:
        """Budgets for which there are not enough images."""
        dropped = [labels for labels in self.settings.budgets if labels > pool]
        if not dropped:
            return []
        told = ", ".join(f"{labels:,}" for labels in dropped)
        instead = f"{pool:,} labels were tried instead" if budgets_for(dropped, pool) else "no label was tried"
        return [f"budgets of {told} labels were left out: {pool:,} images are left to label; {instead}"]


def _places(names: Sequence[str], changes: Mapping[str, float]) -> list[tuple[int, float]]:
    """(place, severity) of distortions that are changed by name."""
    return [(names.index(name), severity) for name, severity in changes.items() if name in names]


def _short(value: object) -> str:
    """A value of a few words."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:100]}..."
