"""Rows of the leaderboard: every figure worked out by hand from a small report, and each doubt on its own."""

from dataclasses import fields, replace
from typing import Any

import pytest

from captcha_solver.audit.cells import Cell
from captcha_solver.audit.facts import Audited
from captcha_solver.audit.figures import Bound
from captcha_solver.audit.findings.breakdown import Kind
from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.findings import ANY, SUREST
from captcha_solver.audit.findings.rows import (
    AttackAndBudget,
    AttackRow,
    BreakdownRow,
    CurveRow,
    Kinds,
)
from captcha_solver.audit.leaderboard.entry import ENTRY_VERSION, Entry, EntryReport, Legibility, Terms
from captcha_solver.audit.leaderboard.panel import Entrant
from captcha_solver.audit.leaderboard.standings import (
    Doubt,
    Missplit,
    Standing,
    cheapest,
    doubts,
    fewest,
    missplit,
    ranked,
    standing,
)
from captcha_solver.audit.pages.page import money
from captcha_solver.audit.report import ReportedProvenance
from captcha_solver.audit.runner import LeftOut
from captcha_solver.audit_settings import Prices
from tests.audit.test_report import FACTS_OF

ENTRANT = Entrant("x", "g", "1", "MIT")
DEAR = Prices(core_hour=3.6, label=0.01, attempt=0.002)


def attack(name: str, labels: int, solved: int, **more: Any) -> AttackRow:
    """A row of 400 tested images, 10 ms each."""
    made = AttackRow(name, labels, 400, solved, solved / 400, (0.0, 1.0), 10.0, 0.0, None, "")
    return replace(made, **more)


def curve(name: str, one: tuple[int, Bound], half: tuple[int, Bound], *, rising: bool = False) -> CurveRow:
    return CurveRow(name, rising, (), (Needed(0.01, *one), Needed(0.5, *half)))


def wrong(labels: int, kinds: Kinds, attack: str = "segmented") -> BreakdownRow:
    """What became of an attack's answers."""
    return BreakdownRow(attack, labels, sum(kinds.of(kind) for kind in Kind), kinds, (), ())


def report(**changed: Any) -> EntryReport:
    """Half of 400 images read by ``sliding`` with 200 labels; nothing to mind."""
    known = {each.name: getattr(FACTS_OF.provenance, each.name) for each in fields(FACTS_OF.provenance)}
    made = EntryReport(
        design=Audited("x", "command", 400),
        provenance=ReportedProvenance(**known, models={}),
        attacks=(
            attack("tesseract", 0, 2),
            attack("sliding", 0, 20),
            attack("segmented", 200, 40, train_core_s=50.0, train_accuracy=0.3),
            attack("sliding", 200, 200, train_core_s=100.0, train_accuracy=0.7),
            attack(ANY, 200, 240, ms_per_solve=None),
            attack(SUREST, 200, 230, ms_per_solve=None),
        ),
        best=AttackAndBudget("sliding", 200),
        curves=(
            curve("segmented", (30, "="), (200, ">"), rising=True),
            curve("sliding", (12, "="), (199, "=")),
        ),
        thresholds=(),
        cost=None,
        breakdown=(
            wrong(0, Kinds(solved=0, nothing=200, length=100, recognition=100)),
            wrong(200, Kinds(solved=40, nothing=10, length=80, recognition=270)),
        ),
        flags=(),
        left_out=(),
    )
    return replace(made, **changed)


def entry(made: EntryReport, legible: Legibility | None = None) -> Entry:
    terms = Terms("g", "1", 0, 400, (0, 200), True)
    return Entry(ENTRY_VERSION, "x", "", terms, legibility=legible, report=made)


def row(name: str, solved: int, half: int) -> Standing:
    """A standing of which so many were read by one attack."""
    attacks = (attack("sliding", half, solved),)
    curves = (curve("sliding", (half, "="), (half, "=")),)
    made = report(attacks=attacks, best=AttackAndBudget("sliding", half), curves=curves)
    return standing(Entrant(name, "g", "1", "MIT"), entry(made), Prices())


def test_a_row() -> None:
    made = standing(ENTRANT, entry(report(), Legibility(0.25, 200)), DEAR)
    assert (made.best.name, made.best.solved) == ("sliding", 200)
    assert [(each.labels, each.bound) for each in made.needed] == [(0, "="), (199, "=")]  # 5 % at once
    assert made.missplit == Missplit(300, 400)  # as it comes: 100 of a wrong length and 200 of none
    assert (made.legibility, made.doubts) == (0.25, ())


@pytest.mark.parametrize(
    ("changed", "rate", "needed"),
    [
        ({}, 0.5, Needed(0.5, 199, "=")),
        ({"curves": [curve("sliding", (12, "="), (200, ">"))]}, 0.5, Needed(0.5, 200, ">")),
        ({"curves": [curve("a", (0, "="), (50, ">")), curve("b", (0, "="), (70, "="))]}, 0.5, Needed(0.5, 70, "=")),
        ({"curves": [curve("sliding", (12, "="), (50, "<="))]}, 0.5, Needed(0.5, 50, "<=")),
        ({"curves": [], "attacks": [attack("tesseract", 0, 4)]}, 0.01, Needed(0.01, 0, "=")),  # 4 of 400 is 1 %
        ({"curves": [], "attacks": [attack("tesseract", 0, 3)]}, 0.01, Needed(0.01, 0, ">")),
        ({"curves": [], "attacks": [attack("sliding", 0, 0), attack(ANY, 0, 400)]}, 0.01, Needed(0.01, 0, ">")),
    ],
)
def test_the_fewest_labels_are_those_of_any_one_attack(changed: dict[str, Any], rate: float, needed: Needed) -> None:
    assert fewest(report(**changed), rate) == needed


def test_the_cheapest_way_to_a_thousand_right_answers() -> None:
    # 10 ms at 3.6 a core-hour is 0.00001, an attempt 0.002: 2.01 for 1,000 tries, and 5 % of them right: 40.2.
    # With 200 labels (2.0), 100 s of training (0.1) and half of the tries right: 2.1 + 4.02.
    found = cheapest(report(), DEAR)
    assert found is not None
    assert (found.attack, found.labels) == ("sliding", 200)
    assert found.price == pytest.approx(6.12)
    # Where labels are dear, it is the attack without: 40.2 against 200 + 4.12.
    dear = cheapest(report(), Prices(3.6, 1.0, 0.002))
    assert dear is not None
    assert (dear.attack, dear.labels) == ("sliding", 0)
    assert dear.price == pytest.approx(40.2)
    assert cheapest(report(attacks=[attack("sliding", 0, 0)]), DEAR) is None


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        ([], None),
        ([wrong(0, Kinds(400, 0, 0, 0))], None),
        ([wrong(50, Kinds(0, 9, 9, 9)), wrong(0, Kinds(0, 1, 2, 3))], Missplit(3, 6)),
        ([wrong(0, Kinds(0, 1, 1, 1), "sliding")], None),
    ],
)
def test_segmentation_errors_are_the_wrong_lengths(rows: list[BreakdownRow], shares: Missplit | None) -> None:
    assert missplit(report(breakdown=rows)) == shares


SCHOOLED = {"train_accuracy": 0.9, "train_core_s": 1.0}


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"design": Audited("x", "command", 299)}, Doubt.FEW),
        ({"design": Audited("x", "command", 300)}, None),
        ({"curves": [curve("sliding", (0, "="), (9, "="), rising=True)]}, Doubt.RISING),
        ({"curves": [curve("segmented", (0, "="), (9, "="), rising=True)]}, None),  # not the best attack
        ({"attacks": [attack("tesseract", 0, 201), attack("sliding", 200, 200)]}, Doubt.STOCK),
        ({"attacks": [attack("tesseract", 0, 200), attack("sliding", 200, 200)]}, None),
        ({"attacks": [attack("sliding", 200, 236, **SCHOOLED)]}, Doubt.BY_HEART),  # 90 % against 59 %
        ({"attacks": [attack("sliding", 200, 244, **SCHOOLED)]}, None),  # 90 % against 61 %
        ({"attacks": [attack("sliding", 50, 4, **SCHOOLED), attack("sliding", 200, 200)]}, None),  # not with the most
        ({"attacks": [attack("sliding", 200, 200, train_accuracy=0.49)]}, Doubt.UNLEARNT),
        ({"attacks": [attack("sliding", 200, 200, train_accuracy=0.5)]}, None),
        ({"attacks": [attack(n, 200, 200, train_accuracy=own) for n, own in (("a", 0.1), ("b", 0.6))]}, None),
        ({"left_out": (LeftOut(Cell("sliding"), "the time was up"),)}, Doubt.PARTIAL),
    ],
)
def test_what_cannot_be_trusted_is_marked(changed: dict[str, Any], doubt: Doubt | None) -> None:
    assert doubts(report(**changed), ENTRANT) == (() if doubt is None else (doubt,))


def test_a_design_that_an_attacker_was_taught_on_is_marked() -> None:
    assert doubts(report(), Entrant("x", "g", "1", "MIT", taught=True)) == (Doubt.TAUGHT,)


def test_the_strongest_stand_first() -> None:
    rows = [row("b", 9, 50), row("weak", 300, 50), row("slow", 9, 200), row("a", 9, 50), row("none", 0, 50)]
    assert [each.entrant.name for each in ranked(rows)] == ["none", "slow", "a", "b", "weak"]


@pytest.mark.parametrize(
    ("price", "shown"),
    [(0.0000562, "0.000056"), (0.42, "0.42"), (1.04, "1.0"), (12.4, "12"), (1234.0, "1234"), (0.0, "0.00")],
)
def test_a_price_has_two_digits(price: float, shown: str) -> None:
    assert money(price) == shown
