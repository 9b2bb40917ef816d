"""Label curves: labels needed and their bounds, worked out by hand on log(1 + labels)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.audit.figures import Bound
from captcha_solver.audit.findings.curves import Curve, Needed, Point, fewest, is_rising
from captcha_solver.statistics import Change, Rate

N = 1000


def curve(*points: tuple[int, int], attack: str = "sliding") -> Curve:
    """(labels, solved of 1,000) each."""
    return Curve(attack, [Point(labels, Rate(solved, N)) for labels, solved in points], rising=False)


@pytest.mark.parametrize(
    ("points", "threshold", "labels", "bound"),
    [
        ([(0, 500), (99, 900)], 0.5, 0, "="),  # reached without any
        ([(0, 0), (99, 200)], 0.1, 9, "="),  # half of the way to log 100 is log 10
        ([(0, 0), (99, 200)], 0.2, 99, "="),
        ([(0, 0), (99, 200)], 0.15, 31, "="),  # 100 ** 0.75 = 31.6: 30.6 labels, so 31
        ([(99, 100), (9999, 300)], 0.2, 999, "="),  # half of the way from log 100 to log 10,000
        ([(20, 500), (99, 900)], 0.5, 20, "<="),  # none with fewer was tried
        ([(0, 0), (99, 499)], 0.5, 99, ">"),
        ([(0, 0)], 0.0001, 0, ">"),
        ([(0, 0), (50, 0), (99, 1)], 0.0001, 54, "="),  # a tenth of the way: 51 * (100 / 51) ** 0.1 = 54.55
        ([(99, 200), (0, 0)], 0.1, 9, "="),  # in any order
        (
            [(0, 0), (9, 400), (99, 300), (999, 600)],
            0.5,
            316,
            "=",
        ),  # from 0.4 on, its running maximum: 10 ** 2.5 = 316.2
        ([(0, 0), (9, 400), (99, 300), (999, 200), (9999, 600)], 0.5, 3162, "="),  # 1,000 * 10 ** 0.5 = 3162.3
        ([(0, 0), (99, 200), (UNLIMITED, 900)], 0.5, 99, ">"),  # a generator is no number of labels
    ],
)
def test_labels_needed(points: list[tuple[int, int]], threshold: float, labels: int, bound: Bound) -> None:
    assert curve(*points).needed(threshold) == Needed(threshold, labels, bound)


def test_who_was_only_given_a_generator_has_no_labels() -> None:
    assert curve((UNLIMITED, 900)).needed(0.5) is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, N)), min_size=1, max_size=6, unique_by=lambda p: p[0]))
def test_a_higher_rate_takes_no_fewer_labels(points: list[tuple[int, int]]) -> None:
    found = [curve(*points).needed(threshold) for threshold in (0.0001, 0.01, 0.1, 0.5, 0.9)]
    labels = [each.labels for each in found if each]
    assert labels == sorted(labels)
    tried = [each[0] for each in points]
    assert all(min(tried) <= each <= max(tried) for each in labels)
    for needed in found:
        assert needed is not None
        reached = any(solved / N >= needed.threshold and solved for _, solved in points)
        assert (needed.bound != ">") is reached


@pytest.mark.parametrize(
    ("curves", "labels", "bound"),
    [
        ([], None, None),
        ([curve((UNLIMITED, 999))], None, None),
        ([curve((0, 0), (99, 200)), curve((0, 100), attack="tesseract")], 0, "="),
        ([curve((0, 0), (99, 200)), curve((0, 99), attack="tesseract")], 9, "="),  # not the 0 of who did not reach it
        ([curve((0, 0), (99, 10)), curve((0, 0), attack="tesseract")], 99, ">"),
        ([curve((20, 100)), curve((0, 0), (99, 200))], 9, "="),
        ([curve((5, 100)), curve((0, 0), (99, 200))], 5, "<="),
    ],
)
def test_the_fewest_labels_of_any_attack(curves: list[Curve], labels: int | None, bound: str | None) -> None:
    found = fewest(curves, 0.1)
    assert (found and found.labels, found and found.bound) == (labels, bound)


@pytest.mark.parametrize(
    ("needed", "shown"),
    [(Needed(0.1, 1234, "="), "1,234"), (Needed(0.1, 20, "<="), "<= 20"), (Needed(0.1, 1000, ">"), "> 1,000")],
)
def test_how_it_reads(needed: Needed, shown: str) -> None:
    assert str(needed) == shown


@pytest.mark.parametrize(
    ("solved", "ci95", "rising"),
    [
        ([100, 300], (0.1, 0.3), True),
        ([100, 110], (-0.01, 0.03), False),
        ([100, 300], None, False),
        ([900, 995], (0.05, 0.15), False),  # nothing is left to gain
        ([900, 994], (0.05, 0.15), True),
        ([300], (0.1, 0.3), False),
    ],
)
def test_a_curve_rises_where_the_last_labels_still_brought_something(
    solved: list[int], ci95: tuple[float, float] | None, rising: bool
) -> None:
    points = [Point(100 * (i + 1), Rate(each, N)) for i, each in enumerate(solved)]
    assert is_rising(points, None if ci95 is None else Change(0.1, ci95)) is rising


def test_the_best_point_of_equals_is_the_cheaper() -> None:
    assert curve((0, 10), (99, 500), (20, 500), (UNLIMITED, 500)).best.labels == 20
    assert curve((0, 10), (99, 500), (UNLIMITED, 501)).best.labels == UNLIMITED
