"""Findings: every figure worked out by hand from a few answers."""

import pytest

from captcha_solver.audit.cells import BASE, UNLIMITED, Result
from captcha_solver.audit.findings.breakdown import Kind
from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.findings import (
    ANY,
    SUREST,
    Altered,
    attack_rows,
    best_of,
    break_row,
    confidence_row,
    cost_row,
    curve_row,
    curves,
    effects,
    paired,
    threshold_rows,
    within,
)
from captcha_solver.audit.findings.rows import AnswersAt, AttackRow, Kinds, Lockout, RateRow
from captcha_solver.audit_settings import Prices
from captcha_solver.statistics import Rate, paired_change
from tests.audit.results import result, solving

OCR = result("tesseract", 0, solving("x...", 0.9), ms_per_solve=40.0)
NAIVE = result("sliding", 0, solving(".x..", 0.4), ms_per_solve=2.0)
TAUGHT = result("sliding", 20, solving("xx..", 0.5), train_core_s=90.0, ms_per_solve=2.0, train_accuracy=0.75)
GENERATED = result("sliding", UNLIMITED, solving("xxx.", 0.6), train_core_s=900.0, ms_per_solve=2.0)
ELSEWHERE = [
    result("sliding", 0, solving("xxxx"), "no lines"),
    result("sliding", 20, solving("xxxx"), BASE, "no lines"),
    result("sliding", 20, solving("xxxx"), "no lines", "no lines"),
]
ALL = [NAIVE, OCR, TAUGHT, GENERATED, *ELSEWHERE]


def test_a_row_an_attack_and_budget_on_the_design_as_it_is_and_two_of_all_together() -> None:
    rows = attack_rows(ALL, fold_case=True)
    assert [(row.name, row.labels, row.solved, row.n, row.rate) for row in rows] == [
        ("sliding", 0, 1, 4, 0.25),
        ("tesseract", 0, 1, 4, 0.25),
        ("sliding", 20, 2, 4, 0.5),
        ("sliding", UNLIMITED, 3, 4, 0.75),
        (ANY, UNLIMITED, 3, 4, 0.75),
        (SUREST, UNLIMITED, 1, 4, 0.25),  # Tesseract is surest of all, and right of the first alone
    ]
    assert rows[2] == AttackRow(
        name="sliding",
        labels=20,
        n=4,
        solved=2,
        rate=0.5,
        ci95=Rate(2, 4).ci95,
        ms_per_solve=2.0,
        train_core_s=90.0,
        train_accuracy=0.75,
        model_sha256="",
    )
    assert [row.ms_per_solve for row in rows[4:]] == [None, None]


def test_one_attack_makes_no_ensemble() -> None:
    assert [row.name for row in attack_rows([OCR], fold_case=True)] == ["tesseract"]
    assert attack_rows(ELSEWHERE, fold_case=True) == ()


@pytest.mark.parametrize(
    ("results", "labels", "name", "solved"),
    [
        (ALL, 1000, "sliding", 2),  # neither who has a generator nor who was taught another design
        (ALL, 20, "sliding", 2),
        (ALL, 19, "sliding", 1),
        ([OCR, TAUGHT], 19, "tesseract", 1),
        ([result("a", 0, solving("x.", 0.2)), result("b", 0, solving(".x", 0.2)), OCR], 0, "a", 1),
        (
            [
                result("a", 0, [("a", "a", 0.9), ("a", "b", 0.1), ("a", "b", 0.1)]),
                result("b", 0, [("a", "b", 0.1), ("a", "a", 0.9), ("a", "b", 0.1)]),
            ],
            0,
            SUREST,
            2,
        ),  # each knows when its answer is right
        (
            [
                result("a", 0, [("a", "a", 0.1), ("a", "b", 0.9)]),
                result("b", 0, [("a", "b", 0.9), ("a", "a", 0.1)]),
            ],
            0,
            "a",
            1,
        ),  # any of them would solve both, but nobody knows which
    ],
)
def test_the_best_within_a_budget(results: list[Result], labels: int, name: str, solved: int) -> None:
    found = within(results, labels, fold_case=True)
    assert found is not None
    assert (found.name, found.solved) == (name, solved)
    assert type(found) is RateRow  # and nothing of what the attack took


@pytest.mark.parametrize(("results", "labels"), [([], 1000), ([GENERATED], 1000), ([TAUGHT], 19), (ELSEWHERE, 1000)])
def test_nothing_may_have_been_tried_within_a_budget(results: list[Result], labels: int) -> None:
    assert within(results, labels, fold_case=True) is None


@pytest.mark.parametrize(
    ("results", "best"),
    [
        (ALL, GENERATED),
        ([OCR, TAUGHT, result("segmented", 50, solving("xx.."))], TAUGHT),  # of equals the one with fewer labels
        ([GENERATED, result("segmented", 5000, solving("xxx."))], result("segmented", 5000, solving("xxx."))),
        ([result("sliding", 0, []), OCR], OCR),
        (ELSEWHERE, None),
        ([], None),
    ],
)
def test_the_best_attack(results: list[Result], best: Result | None) -> None:
    assert best_of(results, fold_case=True) == best


def test_upper_and_lower_case() -> None:
    both = result("x", 0, [("aB", "Ab", 0.5), ("aB", "aB", 0.5)])
    rates = [attack_rows([both], fold_case=fold_case)[0].solved for fold_case in (True, False)]
    assert rates == [2, 1]


def test_a_curve_an_attack() -> None:
    found = curves(ALL, fold_case=True)
    assert [(each.attack, [(p.labels, p.rate.solved) for p in each.points]) for each in found] == [
        ("sliding", [(0, 1), (20, 2), (UNLIMITED, 3)]),
        ("tesseract", [(0, 1)]),
    ]
    row = curve_row(found[0])
    assert row.labels_needed == (
        Needed(0.0001, 0, "="),
        Needed(0.01, 0, "="),
        Needed(0.1, 0, "="),
        Needed(0.5, 20, "="),
    )
    assert [point.labels for point in row.points] == [0, 20, UNLIMITED]


@pytest.mark.parametrize(
    ("before", "after", "rising"),
    [
        ("." * 40, "x" * 20 + "." * 20, True),
        ("x" * 20 + "." * 20, "." * 20 + "x" * 20, False),
        ("x" * 20 + "." * 20, "x" * 21 + "." * 19, False),
        ("x" * 20 + "." * 20, "x" * 40, False),  # all that there is
    ],
)
def test_whether_a_curve_still_rises_is_told_by_its_last_labels(before: str, after: str, rising: bool) -> None:
    results = [result("sliding", 50, solving(before)), result("sliding", 100, solving(after))]
    generator = result("sliding", UNLIMITED, solving("x" * 40))
    assert curves([*results, generator], fold_case=True)[0].rising is rising


def test_the_last_labels_are_compared_on_the_images_that_were_read_with_both() -> None:
    results = [result("sliding", 50, solving("." * 20)), result("sliding", 100, solving("." * 20 + "x" * 20))]
    assert not curves(results, fold_case=True)[0].rising
    apart = [result("sliding", 50, solving("." * 9)), result("sliding", 100, [("z", "z", 0.5)] * 9)]
    assert not curves(apart, fold_case=True)[0].rising


def test_a_threshold_is_reached_by_whichever_attack_reaches_it_first() -> None:
    slow = [result("sliding", 0, solving("." * 400)), result("sliding", 99, solving("x" * 400))]
    quick = result("tesseract", 0, solving("x" * 8 + "." * 392))
    rows = threshold_rows(slow[1], curves([*slow, quick], fold_case=True), fold_case=True)
    assert [(row.threshold, row.status, row.labels, row.bound) for row in rows] == [
        (0.0001, "broken", 0, "="),
        (0.01, "broken", 0, "="),
        (0.1, "broken", 1, "="),  # 100 ** 0.1 - 1 = 0.58: Tesseract's 2 % will not do
    ]
    assert [row.trials_needed_to_claim_it_holds for row in rows] == [29_956, 299, 29]


def test_a_threshold_that_only_a_generator_reaches_has_a_bound() -> None:
    nothing = result("sliding", 20, solving("." * 40))
    everything = result("sliding", UNLIMITED, solving("x" * 40))
    rows = threshold_rows(everything, curves([nothing, everything], fold_case=True), fold_case=True)
    assert [(row.status, row.labels, row.bound) for row in rows] == [("broken", 20, ">")] * 3
    rows = threshold_rows(everything, curves([everything], fold_case=True), fold_case=True)
    assert [(row.labels, row.bound) for row in rows] == [(None, None)] * 3


def test_what_an_attack_costs() -> None:
    row = cost_row(TAUGHT, Prices(core_hour=0.4, label=0.1, attempt=0.01), fold_case=True)
    assert row.once == pytest.approx(20 * 0.1 + 90 / 3600 * 0.4)
    assert row.per_1000_correct == pytest.approx(2000 * (0.01 + 2 / 3.6e6 * 0.4))
    assert row.attempts_per_correct == 2
    assert row.lockout[:2] == (Lockout(1, 0.5), Lockout(3, 0.875))
    assert row.prices == Prices(0.4, 0.1, 0.01)
    assert (row.attack, row.labels) == ("sliding", 20)


def test_an_attacker_who_answers_only_when_he_is_sure() -> None:
    answers = [("a", "a", 0.95), ("a", "a", 0.9), ("a", "b", 0.6), ("a", "a", 0.6), ("a", "b", 0.2)]
    row = confidence_row(result("x", 20, answers), fold_case=True)
    assert row.n == 5
    assert list(row.curve) == [
        pytest.approx(point) for point in ((0.2, 1.0, 0.95), (0.4, 1.0, 0.9), (0.8, 0.75, 0.6), (1.0, 0.6, 0.2))
    ]
    assert row.area == pytest.approx(0.4 * 0.25 + 0.2 * 0.4)
    assert row.answers_at == (AnswersAt(0.5, 1.0, 0.2), AnswersAt(0.9, 0.4, 0.9), AnswersAt(0.99, 0.4, 0.9))
    # bins of 1/15: 0.95 | 0.9 | two of 0.6 | 0.2
    assert row.calibration_error == pytest.approx((0.05 + 0.1 + 2 * 0.1 + 0.2) / 5)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    answers = [("a", "a", (1 + place) / 1000) for place in range(500)]
    curve = confidence_row(result("x", 0, answers), fold_case=True).curve
    assert len(curve) == 60
    assert (curve[0][0], curve[-1][0]) == (1 / 500, 1.0)


def test_where_an_attack_fails() -> None:
    row = break_row(result("x", 20, solving("x.. ")), fold_case=True)
    assert row.kinds == Kinds(solved=1, nothing=1, length=0, recognition=2)
    assert [row.kinds.of(kind) for kind in Kind] == [1, 1, 0, 2]
    assert row.confusions == (("a", "b", 2), ("a", "", 1))
    assert row.places == ((0, 0.75),)
    assert row.n == 4


BEFORE = [result("sliding", labels, solving("x" * 10 + "." * 30)) for labels in (0, 100)]
ALTERED = {"no lines": Altered("lines", "removed", {"lines": 0.0})}


def test_what_a_change_does_to_the_same_attacker() -> None:
    after = [
        result("sliding", 0, solving("x" * 25 + "." * 15), "no lines"),
        result("sliding", 100, solving("." * 20 + "x" * 20), "no lines", "no lines"),
        result("sliding", 100, solving("x" * 30 + "." * 10), "no lines", BASE),
        result("sliding", 100, solving("x" * 40), BASE, "no lines"),
        result("sliding", 20, solving("x" * 40), "no lines", "no lines"),  # nothing to compare it with
        result("sliding", 0, solving("x" * 40), "other faces"),  # no feature
    ]
    rows = effects([*BEFORE, *after], ALTERED, {BASE: 0.5, "no lines": 0.75}, fold_case=True)
    assert [(row.labels, row.adaptive, row.rate, row.change, row.n) for row in rows] == [
        (0, False, 0.625, 0.375, 40),
        (100, True, 0.5, 0.25, 40),
        (100, False, 0.75, 0.5, 40),  # taught on the design as it was
    ]
    expected = paired_change([True] * 10 + [False] * 30, [False] * 20 + [True] * 20)
    assert rows[1].ci95 == expected.ci95
    assert {(row.name, row.what, row.condition, row.attack) for row in rows} == {
        ("lines", "removed", "no lines", "sliding")
    }
    assert {row.legibility_change for row in rows} == {0.25}
    assert {row.severity for row in rows} == {0}


@pytest.mark.parametrize("legible", [{}, {BASE: 0.5}, {"no lines": 0.5}])
def test_a_design_whose_legibility_is_not_known_has_no_change_of_it(legible: dict[str, float]) -> None:
    rows = effects([*BEFORE, result("sliding", 0, solving("x" * 40), "no lines")], ALTERED, legible, fold_case=True)
    assert [row.legibility_change for row in rows] == [None]


def test_images_are_compared_by_name_and_text() -> None:
    before = result("x", 0, [("a", "a", 0.5), ("b", "x", 0.5), ("c", "c", 0.5)])
    after = result("x", 0, [("a", "x", 0.5), ("B", "B", 0.5), ("c", "c", 0.5), ("d", "d", 0.5)], "no lines")
    assert paired(before, after, fold_case=True) == [(True, False), (True, True)]
    rows = effects([before, after], ALTERED, {}, fold_case=True)
    assert (rows[0].n, rows[0].change) == (2, -0.5)
    other = result("x", 0, [("z", "z", 0.5)], "no lines")
    assert effects([before, other], ALTERED, {}, fold_case=True) == ()


def test_labels_needed_are_numbers_of_labels() -> None:
    found = curves([NAIVE, TAUGHT], fold_case=True)[0].needed(0.375)
    assert found == Needed(0.375, 4, "=")  # 21 ** 0.5 - 1 = 3.58
