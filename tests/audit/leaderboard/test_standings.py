"""Rows of the leaderboard: every figure worked out by hand from a small report, and each doubt on its own."""

from typing import Any

import pytest

from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.findings import ANY, SUREST
from captcha_solver.audit.leaderboard.panel import Entrant
from captcha_solver.audit.leaderboard.standings import Doubt, cheapest, doubts, fewest, missplit, ranked, standing
from captcha_solver.audit.pages.page import money
from captcha_solver.audit_settings import Prices

ENTRANT = Entrant("x", "g", "1", "MIT")
DEAR = Prices(core_hour=3.6, label=0.01, attempt=0.002)


def attack(name: str, labels: int, solved: int, **more: Any) -> dict[str, Any]:
    """A row of 400 tested images, 10 ms each."""
    row = {"name": name, "labels": labels, "n": 400, "solved": solved, "rate": solved / 400, "ci95": [0.0, 1.0]}
    nothing = {"ms_per_solve": 10.0, "train_core_s": 0.0, "train_accuracy": None, "model_sha256": ""}
    return {**row, **nothing, **more}


def curve(name: str, one: tuple[int, str], half: tuple[int, str], *, rising: bool = False) -> dict[str, Any]:
    needed = [
        {"threshold": threshold, "labels": labels, "bound": bound}
        for threshold, (labels, bound) in ((0.01, one), (0.5, half))
    ]
    return {"attack": name, "rising": rising, "labels_needed": needed}


def wrong(labels: int, solved: int, nothing: int, length: int, other: int) -> dict[str, Any]:
    """What became of the segmented route's answers."""
    kinds = {
        "solved": solved,
        "nothing found": nothing,
        "wrong number of characters": length,
        "right number, wrong characters": other,
    }
    return {"attack": "segmented", "labels": labels, "n": solved + nothing + length + other, "kinds": kinds}


def report(**changed: Any) -> dict[str, Any]:
    """Half of 400 images read by ``sliding`` with 200 labels; nothing to mind."""
    made = {
        "design": {"tested": 400},
        "attacks": [
            attack("tesseract", 0, 2),
            attack("sliding", 0, 20),
            attack("segmented", 200, 40, train_core_s=50.0, train_accuracy=0.3),
            attack("sliding", 200, 200, train_core_s=100.0, train_accuracy=0.7),
            attack(ANY, 200, 240, ms_per_solve=None),
            attack(SUREST, 200, 230, ms_per_solve=None),
        ],
        "best": {"name": "sliding", "labels": 200},
        "curves": [
            curve("segmented", (30, "="), (200, ">"), rising=True),
            curve("sliding", (12, "="), (199, "=")),
        ],
        "breakdown": [wrong(0, 0, 200, 100, 100), wrong(200, 40, 10, 80, 270)],
        "left_out": [],
    }
    return made | changed


def row(name: str, solved: int, half: int) -> Any:
    """A standing of which so many were read by one attack."""
    attacks = [attack("sliding", half, solved)]
    curves = [curve("sliding", (half, "="), (half, "="))]
    made = report(attacks=attacks, best={"name": "sliding", "labels": half}, curves=curves)
    return standing(Entrant(name, "g", "1", "MIT"), {"report": made, "legibility": None}, Prices())


def test_a_row() -> None:
    made = standing(ENTRANT, {"report": report(), "legibility": {"mean": 0.25, "n": 200}}, DEAR)
    assert (made.best["name"], made.best["solved"]) == ("sliding", 200)
    assert [(each.labels, each.bound) for each in made.needed] == [(0, "="), (199, "=")]  # 5 % at once
    assert made.missplit == (300, 400)  # as it comes: 100 of a wrong length and 200 of none
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
        ([wrong(0, 400, 0, 0, 0)], None),
        ([wrong(50, 0, 9, 9, 9), wrong(0, 0, 1, 2, 3)], (3, 6)),
        ([{**wrong(0, 0, 1, 1, 1), "attack": "sliding"}], None),
    ],
)
def test_segmentation_errors_are_the_wrong_lengths(rows: list[dict[str, Any]], shares: object) -> None:
    assert missplit(report(breakdown=rows)) == shares


SCHOOLED = {"train_accuracy": 0.9, "train_core_s": 1.0}


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"design": {"tested": 299}}, Doubt.FEW),
        ({"design": {"tested": 300}}, None),
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
        ({"left_out": [{"cell": {}, "why": "the time was up"}]}, Doubt.PARTIAL),
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
