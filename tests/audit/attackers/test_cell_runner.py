"""What an attacker learns from is never what they are tested on, whoever draws it."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from captcha_solver.audit.attackers.cell_runner import CellRunner
from captcha_solver.audit.cells import UNLIMITED, Cell
from captcha_solver.audit.subjects.record import SubjectKind, SubjectRecord
from captcha_solver.audit.subjects.split import LABEL_SEED, part_seed, split
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.designs.design import Design
from captcha_solver.types import Sample
from tests.audit.fake_attackers import images, use_fakes


@dataclass(frozen=True)
class Repeating:
    """A generator that, asked for many, draws again what it drew for the test."""

    drawn: tuple[Sample, ...]
    name: str = "repeating"
    kind: SubjectKind = "command"
    design: Design | None = None
    available: int | None = None
    notes: tuple[str, ...] = ()

    def samples(self, count: int, seed: int) -> list[Sample]:
        if seed != part_seed(0, LABEL_SEED):
            return list(self.drawn[:count])
        return [replace(each, id=f"again-{each.id}") for each in reversed(self.drawn)][:count]

    def provenance(self) -> SubjectRecord:
        return SubjectRecord(self.kind, self.name)


def test_a_generator_that_repeats_itself_teaches_nothing_of_what_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = use_fakes(monkeypatch)
    subject = Repeating(tuple(images(100)))
    parts = split(subject, labels=20, tested=40, seed=0)
    assert (len(parts.pool), len(parts.tested)) == (20, 40)
    cell_runner = CellRunner(subject, parts, AuditSettings(budgets=(0, 20), tested=40), tmp_path)
    cell_runner.do(Cell("sliding", 20))
    cell_runner.do(Cell("sliding", UNLIMITED))
    assert fakes["sliding"].prepared == [(20, 20), (UNLIMITED, 60)]  # 100 drawn, of which 40 are tested
