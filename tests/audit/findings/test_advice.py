"""Advice rests on what was measured: on one of many distortions that do nothing, none is given by chance."""

import pytest

from captcha_solver.audit.findings.advice import advise, highest, predicted, proposal
from captcha_solver.audit.findings.rows import Effect
from captcha_solver.statistics import Rate


def row(
    name: str, what: str, change: float, half: float, legible: float | None = 0.1, *, adaptive: bool = True
) -> Effect:
    """A row of the features, its interval ``half`` to either side."""
    changes = dict.fromkeys(name.split(" + "), 0.0 if what == "removed" else 5.0)
    return Effect(
        name=name,
        what=what,
        condition=f"{name} {what}",
        attack="sliding",
        labels=50,
        adaptive=adaptive,
        rate=0.5,
        change=change,
        ci95=(change - half, change + half),
        legibility_change=legible,
        n=100,
        changes=changes,
    )


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        ([row("lines", "removed", 0.0, 0.05)], ["remove lines"]),  # ugly, and of no use
        ([row("lines", "removed", -0.02, 0.05)], ["remove lines"]),
        ([row("lines", "removed", 0.02, 0.05)], []),  # it may be of use
        ([row("lines", "removed", 0.0, 0.15)], []),  # of too few images nothing is known
        ([row("lines", "removed", 0.0, 0.05, 0.01)], []),  # nobody would notice
        ([row("lines", "removed", 0.0, 0.05, None)], []),
        ([row("lines", "removed", 0.0, 0.05, adaptive=False)], []),  # an attacker would learn
        ([row("lines + dots", "removed", 0.0, 0.05)], []),
        ([row("lines", "at 5", -0.3, 0.1)], ["raise lines to 5"]),
        ([row("lines", "at 5", -0.05, 0.06)], []),
        ([row("lines", "at 5", -0.1, 0.09)], ["raise lines to 5"]),  # one that was tried
        ([row(f"d{i}", "at 5", -0.1, 0.09) for i in range(10)], []),  # of ten, one in four would be by chance
        (
            [row("a", "at 5", -0.1, 0.05, -0.2), row("b", "at 5", -0.3, 0.05), row("c", "at 5", -0.1, 0.05, -0.1)],
            ["raise b to 5", "raise c to 5", "raise a to 5"],  # the strongest; of equals the more legible
        ),
        ([row("a", "at 5", -0.1, 0.05), row("a", "removed", -0.2, 0.05)], ["raise a to 5"]),  # not both
    ],
)
def test_what_is_advised(rows: list[Effect], advice: list[str]) -> None:
    assert [each.do for each in advise(rows, Rate(1, 100))] == advice


def test_the_interval_is_widened_for_how_many_were_tried() -> None:
    found = row("lines", "at 5", -0.1, 0.1)
    assert highest(found, tried=1) == pytest.approx(0.0)
    assert highest(found, tried=5) == pytest.approx(-0.1 + 0.1 * 2.5758 / 1.9600, abs=1e-4)  # 1 % instead of 5 %


@pytest.mark.parametrize(
    ("rows", "solved", "why"),
    [
        ([row("lines", "at 5", 0.0, 0.05)], 50, "no distortion that it has, removed or raised, was seen to cost"),
        ([], 50, "50% of its images are read"),  # nothing is said of what was not measured
        ([row("lines", "at 5", -0.3, 0.05)], 50, None),
        ([], 9, None),
    ],
)
def test_another_design_is_advised_where_this_one_is_weak_and_nothing_helps(
    rows: list[Effect], solved: int, why: str | None
) -> None:
    found = [each for each in advise(rows, Rate(solved, 100)) if each.do == "draw another design"]
    assert [each.why.startswith(why or "no advice") for each in found] == ([True] if why else [])
    assert all(each.changes == {} for each in found)


def test_a_proposal_is_all_advice_together() -> None:
    advice = advise([row("a", "at 5", -0.2, 0.05), row("b", "removed", -0.1, 0.05)], Rate(60, 100))
    assert proposal(advice) == {"a": 5.0, "b": 0.0}
    assert predicted(advice, 0.6) == pytest.approx(0.3)
    assert predicted(advice, 0.2) == 0.0
