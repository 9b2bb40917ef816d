"""A design that changes: what changes, the matrix of trained on and tested on, and what a change is worth."""

from dataclasses import replace

import pytest

from captcha_solver.audit.cells import BASE, Cell, Result, TrialRecord
from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.drift import (
    Recovered,
    drift_cells,
    must_change,
    other_faces,
    recovered,
    schedule,
)
from captcha_solver.designs.design import Range
from captcha_solver.designs.fonts import families
from captcha_solver.designs.load import load_design
from tests.audit.fake_attackers import tiny

FACES = "other faces"


def test_each_step_of_the_schedule_changes_one_thing_more() -> None:
    design = load_design("crowded")
    faces, colours, harder = (each.design for each in schedule(design))
    assert not set(faces.fonts.faces) & set(design.fonts.faces)
    assert replace(faces, fonts=design.fonts) == design
    assert colours.fonts == faces.fonts
    for old, new in zip(design.palettes, colours.palettes, strict=True):
        assert new.ink_levels == Range(255 - old.ink_levels.high, 255 - old.ink_levels.low)
        assert new.background_levels == Range(255 - old.background_levels.high, 255 - old.background_levels.low)
    assert harder.palettes == colours.palettes
    for was, now in zip(design.distortions, harder.distortions, strict=True):
        assert now.severity == Range(min(1.6 * was.severity.low, 5), min(1.6 * was.severity.high, 5))


def test_other_faces_can_write_all_that_the_design_can() -> None:
    found = other_faces(tiny())
    assert len(found) == len(tiny().fonts.faces)
    assert all(set("0123456789") <= set(families()[name].charset) for name in found)


def test_trained_on_each_and_tested_on_each_then_a_few_labels_of_each_changed_one() -> None:
    cells = drift_cells(schedule(tiny())[:1], "sliding")
    assert [(cell.labels, cell.trained_on, cell.condition) for cell in cells] == [
        (50, BASE, BASE),
        (50, BASE, FACES),
        (50, FACES, BASE),
        (50, FACES, FACES),
        (20, FACES, FACES),
    ]


def result(labels: int, trained: str, tested: str, solved: int) -> Result:
    cell = Cell("sliding", labels, tested, trained)
    trials = [TrialRecord(cell.id, str(i), "ab", "AB" if i < solved else "x", 0.5, None) for i in range(10)]
    return Result(cell, trials)


def test_the_rate_before_a_change_after_it_and_with_labels() -> None:
    results = [
        result(50, BASE, BASE, 9),
        result(50, BASE, FACES, 2),
        result(20, FACES, FACES, 4),
        result(50, FACES, FACES, 6),
    ]
    expected = Recovered(FACES, 0.9, 0.2, ((20, 0.4), (50, 0.6)))
    assert recovered(results, [FACES], "sliding", fold_case=True) == [expected]
    assert recovered(results, [FACES], "sliding", fold_case=False)[0].before == 0.0
    assert recovered(results[:-1], [FACES], "sliding", fold_case=True) == []  # not all of it was measured


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (None, "not measured"),
        (Needed(0.01, 0, "="), "no change is often enough: the attacker needs no label"),
        (Needed(0.01, 1200, "="), "before 1,200 of its images may have been labelled"),
        (Needed(0.01, 20, "<="), "before 20 of its images may have been labelled"),
        (Needed(0.01, 1000, ">"), "at the latest when 1,000 of its images may have been labelled: more was not tried"),
    ],
)
def test_how_often_a_design_must_change(needed: Needed | None, said: str) -> None:
    assert must_change(needed) == said
