"""Estimates and their bounds, against published figures and values worked out by hand."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.statistics import (
    Change,
    Rate,
    calibration_error,
    chance_of,
    paired_change,
    risk_coverage,
    trials_to_claim,
)

SURE = st.floats(0, 1)
ANSWERS = st.lists(st.tuples(SURE, st.booleans()), min_size=1, max_size=40)


def pairs(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    """(before, after) with so many items solved in both, in the first only, in the second only, in neither."""
    before = [True] * (both + first) + [False] * (second + neither)
    after = [True] * both + [False] * first + [True] * second + [False] * neither
    return before, after


@pytest.mark.parametrize(
    ("solved", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_of_a_rate(solved: int, n: int, low: float, high: float) -> None:
    assert Rate(solved, n).ci95 == pytest.approx((low, high), abs=5e-5)
    assert Rate(solved, n).value == (solved / n if n else 0)


@pytest.mark.parametrize(
    ("table", "change", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10
        ((36, 2, 12, 0), 0.2, 0.0569, 0.3404),
        # Wilson 13/32: 0.2552, 0.5774; 7/32: 0.1102, 0.3876; phi = (4 * 16 - 9 * 3 - 32 / 2) / 207.9 = 0.1010
        ((4, 3, 9, 16), 0.1875, -0.0275, 0.3807),
        # 2 * 3 - 2 * 2 is below 9 / 2: phi = 0; Wilson 4/9: 0.1888, 0.7333; the root of 0.2556 ** 2 + 0.2889 ** 2
        ((2, 2, 2, 3), 0.0, -0.3857, 0.3857),
        # no change of all is an interval all the same: Wilson 0/20 ends at 0.1611
        ((20, 0, 0, 0), 0.0, -0.1611, 0.1611),
        ((0, 0, 0, 20), 0.0, -0.1611, 0.1611),
        ((0, 0, 20, 0), 1.0, 1 - math.sqrt(2) * 0.16113, 1.0),
    ],
)
def test_the_interval_of_a_paired_change(
    table: tuple[int, int, int, int], change: float, low: float, high: float
) -> None:
    found = paired_change(*pairs(*table))
    assert found.value == pytest.approx(change)
    assert found.ci95 == pytest.approx((low, high), abs=5e-4)


def test_pairs_that_go_together_tell_more() -> None:
    together, apart = paired_change(*pairs(50, 0, 10, 40)), paired_change(*pairs(30, 20, 30, 20))
    assert together.value == apart.value == pytest.approx(0.1)
    assert together.real
    assert not apart.real


@given(*[st.integers(0, 30)] * 4)
def test_a_paired_interval_holds_the_change_and_stays_within_bounds(a: int, b: int, c: int, d: int) -> None:
    if a + b + c + d == 0:
        return
    found, turned = paired_change(*pairs(a, b, c, d)), paired_change(*pairs(a, c, b, d))
    low, high = found.ci95
    assert -1 - 1e-9 <= low <= found.value <= high <= 1 + 1e-9
    assert turned.ci95 == pytest.approx((-high, -low))  # after and before exchanged


@pytest.mark.parametrize(
    ("ci95", "real"), [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.1), False), ((0.0, 0.1), False)]
)
def test_a_change_is_real_where_its_interval_leaves_out_0(ci95: tuple[float, float], real: bool) -> None:
    assert Change(0.0, ci95).real is real


@pytest.mark.parametrize(("before", "after"), [([], []), ([True], [True, False])])
def test_pairs_must_be_pairs(before: list[bool], after: list[bool]) -> None:
    with pytest.raises(ValueError, match=f"received {len(before)} and {len(after)}"):
        paired_change(before, after)


@pytest.mark.parametrize(
    ("threshold", "trials"), [(0.01, 299), (0.0001, 29956), (0.1, 29), (0.05, 59), (0.001, 2995), (0.5, 5)]
)
def test_failed_trials_that_it_takes_to_claim_a_rate(threshold: float, trials: int) -> None:
    assert trials_to_claim(threshold) == trials
    assert (1 - threshold) ** trials <= 0.05 < (1 - threshold) ** (trials - 1)


@pytest.mark.parametrize(
    ("solved", "n", "rate", "chance"),
    [
        (0, 10, 0.3, 1.0),
        (1, 10, 0.3, 1 - 0.7**10),
        (2, 3, 0.5, 0.5),  # 3 of 8 and 1 of 8
        (3, 3, 0.5, 0.125),
        (1, 500, 0.0001, 1 - 0.9999**500),
        (40, 4000, 0.001, 0.0),
    ],
)
def test_the_chance_of_so_many_right_answers(solved: int, n: int, rate: float, chance: float) -> None:
    assert chance_of(solved, n, rate) == pytest.approx(chance, abs=1e-9)


def test_the_chance_needs_a_rate() -> None:
    with pytest.raises(ValueError, match="between 0 and 1, received 1"):
        chance_of(1, 2, 1.0)


def test_the_risk_coverage_curve_takes_equal_confidences_together() -> None:
    found = risk_coverage([0.5, 0.9, 0.5, 0.8, 0.5], [True, True, False, False, False])
    assert found.coverage.tolist() == pytest.approx([0.2, 0.4, 1.0])
    assert found.accuracy.tolist() == pytest.approx([1.0, 0.5, 0.4])
    assert found.threshold.tolist() == [0.9, 0.8, 0.5]
    # 0.2 of coverage without error, 0.2 at one half, 0.6 at three fifths
    assert found.area == pytest.approx(0.2 * 0 + 0.2 * 0.5 + 0.6 * 0.6)


@pytest.mark.parametrize(
    ("accuracy", "coverage", "threshold"), [(1.0, 0.2, 0.9), (0.5, 0.4, 0.8), (0.4, 1.0, 0.5), (0.45, 0.4, 0.8)]
)
def test_how_much_can_be_answered_with_an_accuracy(accuracy: float, coverage: float, threshold: float) -> None:
    found = risk_coverage([0.5, 0.9, 0.5, 0.8, 0.5], [True, True, False, False, False])
    assert found.at(accuracy) == pytest.approx((coverage, threshold))


def test_an_accuracy_that_is_never_reached() -> None:
    found = risk_coverage([0.9, 0.1], [False, True])
    assert found.at(0.9) == (0.0, 1.0)
    assert found.at(0.5) == (1.0, 0.1)  # it falls short in between, and reaches it with all


@pytest.mark.parametrize(("right", "area"), [([True] * 4, 0.0), ([False] * 4, 1.0), ([], 1.0)])
def test_the_area_of_the_best_and_the_worst(right: list[bool], area: float) -> None:
    assert risk_coverage([0.1 * i for i in range(len(right))], right).area == area


@given(ANSWERS)
def test_who_answers_everything_is_right_as_often_as_he_solves(answers: list[tuple[float, bool]]) -> None:
    sure, right = [each[0] for each in answers], [each[1] for each in answers]
    found = risk_coverage(sure, right)
    assert found.coverage[-1] == 1
    assert found.accuracy[-1] == pytest.approx(sum(right) / len(right))
    assert found.threshold[-1] == min(sure)
    assert 0 <= found.area <= 1
    for wanted, (sureness, _) in product((0.3, 0.9), answers):
        coverage, threshold = found.at(wanted)
        answered = [ok for how, ok in answers if how >= threshold] if coverage else []
        assert len(answered) == pytest.approx(coverage * len(answers))  # the threshold gives that coverage
        assert not answered or sum(answered) / len(answered) >= wanted - 1e-9
        more = [ok for how, ok in answers if how >= sureness]
        assert len(more) <= len(answered) or sum(more) / len(more) < wanted  # and none that is lower does


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    # bins of 1/15: 0.95 and 1.0 are in the last, 0.1 in the second, 0 in the first
    sure, right = [0.95, 0.95, 0.95, 1.0, 0.1, 0.0], [True, True, False, False, False, False]
    assert calibration_error(sure, right) == pytest.approx((4 * (0.9625 - 0.5) + 1 * 0.1 + 0) / 6)


@pytest.mark.parametrize(
    ("sure", "right", "error"),
    [
        ([], [], 0.0),
        ([1.0], [True], 0.0),
        ([1.0], [False], 1.0),
        ([0.62, 0.68], [True, False], (0.38 + 0.68) / 2),
        ([0.6, 0.6], [True, False], 0.1),
    ],
)
def test_the_calibration_error_of_few(sure: list[float], right: list[bool], error: float) -> None:
    assert calibration_error(sure, right) == pytest.approx(error)
