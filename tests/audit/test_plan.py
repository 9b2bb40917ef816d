"""What an audit does, and in which order: the most telling cells first, none that has no labels."""

from collections.abc import Sequence

import pytest

from captcha_solver.audit import plan
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result, TrialRecord
from captcha_solver.audit.plan import (
    ADAPTED_LABELS,
    budgets_for,
    effects_of,
    feature_stages,
    first_stages,
    label_stages,
    most_telling,
    pair_stage,
    perturbation_stage,
)
from captcha_solver.audit.subjects.subject import DesignSubject
from captcha_solver.audit.subjects.variants import at
from captcha_solver.audit_settings import AuditSettings, parse_budgets
from captcha_solver.errors import OptionError
from tests.audit.fake_attackers import tiny

ASKED = (0, 20, 50, 100, 200)


@pytest.fixture(autouse=True)
def no_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "STOCK", ())


@pytest.mark.parametrize(
    ("asked", "pool", "budgets"),
    [
        ([0], 300, []),
        ([0, 20, 50], 300, [20, 50]),
        ([0, 20, 500, 1000], 300, [20, 300]),  # all that there are, instead of more
        ([0, 20, 300, 500], 300, [20, 300]),
        ([0, 20, 50], 9, []),  # nothing can be learnt from so few
        ([5000], 5000, [5000]),
    ],
)
def test_the_budgets_that_a_pool_allows(asked: list[int], pool: int, budgets: list[int]) -> None:
    assert budgets_for(asked, pool) == budgets


@pytest.mark.parametrize(
    ("rising", "ordered"),
    [
        ([], []),
        ([1], [1]),
        ([1, 2], [2, 1]),
        ([1, 2, 3], [3, 1, 2]),
        ([1, 2, 3, 4, 5, 6, 7], [7, 1, 4, 2, 5, 3, 6]),
    ],
)
def test_the_ends_of_a_curve_come_first(rising: list[int], ordered: list[int]) -> None:
    assert most_telling(rising) == ordered


def test_the_stronger_attack_is_trained_first_and_a_generator_comes_last() -> None:
    zero, curve, generator = first_stages(DesignSubject(tiny()), AuditSettings(budgets=ASKED), 200)
    assert zero.cells == (Cell("segmented"), Cell("sliding"))
    assert [(cell.attack, cell.labels) for cell in curve.cells] == [
        *(("sliding", labels) for labels in (200, 20, 50, 100)),
        *(("segmented", labels) for labels in (200, 20, 50, 100)),
    ]
    assert generator.cells == (Cell("sliding", UNLIMITED), Cell("segmented", UNLIMITED))


def test_a_budget_of_thousands_is_a_cell_where_so_many_can_be_drawn() -> None:
    _, curve = label_stages(AuditSettings(budgets=(0, 5000)), 5000)
    assert curve.cells == (Cell("sliding", 5000), Cell("segmented", 5000))


def test_every_distortion_is_removed_raised_and_learnt_anew() -> None:
    (unaware, removed, raised), variants = feature_stages(tiny())
    sweeps = [f"{name} at {severity}" for name in ("lines", "dots") for severity in range(1, 6)]
    assert set(variants) == {"no lines", "no dots", *sweeps}
    assert {cell.condition for cell in unaware.cells} == set(variants)
    assert {(cell.labels, cell.trained_on) for cell in unaware.cells} == {(0, BASE)}
    assert [(c.labels, c.condition, c.trained_on) for c in (*removed.cells, *raised.cells)] == [
        (50, BASE, BASE),
        (50, "no lines", "no lines"),
        (50, "no dots", "no dots"),
        (50, "lines at 5", "lines at 5"),
        (50, "dots at 5", "dots at 5"),
    ]


def result(cell: Cell, solved: Sequence[bool]) -> Result:
    return Result(
        cell, [TrialRecord(cell.id, str(i), "ab", "ab" if right else "x", 0.5, None) for i, right in enumerate(solved)]
    )


def test_effects_are_those_of_the_attacker_trained_anew_where_there_is_one() -> None:
    design = tiny()
    variants = {each.condition: each for each in (at(design, [(0, 0)]), at(design, [(1, 0)]), at(design, [(1, 5)]))}
    results = [
        result(Cell("sliding"), [True, False, False, False]),
        result(Cell("sliding", 0, "no lines"), [True, True, True, True]),
        result(Cell("sliding", 0, "no dots"), [False, False, False, False]),
        result(Cell("sliding", 0, "dots at 5"), [False, False, False, False]),
        result(Cell("sliding", ADAPTED_LABELS), [True, True, False, False]),
        result(Cell("sliding", ADAPTED_LABELS, "no lines", "no lines"), [True, True, True, False]),
    ]
    assert effects_of(results, variants, fold_case=True) == {0: 0.25, 1: -0.25}


def test_the_strongest_distortions_are_removed_two_at_a_time() -> None:
    stage, variants = pair_stage(tiny(), {0: 0.25, 1: -0.25})
    assert list(variants) == ["no lines, no dots"]
    assert [(cell.labels, cell.condition) for cell in stage.cells] == [
        (0, "no lines, no dots"),
        (50, "no lines, no dots"),
    ]
    assert pair_stage(tiny(), {0: 0.25})[0].cells == ()


@pytest.mark.parametrize(("pool", "trained"), [(49, 0), (50, 2)])
def test_retraining_on_perturbed_images_takes_labels(pool: int, trained: int) -> None:
    cells = perturbation_stage(pool).cells
    assert sum(cell.labels > 0 for cell in cells) == trained
    assert len([cell for cell in cells if cell.labels == 0]) == 4 * (2 + 2)  # two networks, two ways to wash


@pytest.mark.parametrize(("text", "budgets"), [("50,0,50", (0, 50)), ("0", (0,)), (" 20, 5000,", (20, 5000))])
def test_budgets_as_they_are_written(text: str, budgets: tuple[int, ...]) -> None:
    assert parse_budgets(text) == budgets


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budgets": ()}, "expected budgets of 0 labels and more, received"),
        ({"budgets": (-1, 20)}, "expected budgets of 0 labels and more, received"),
        ({"budgets": (0, 9)}, "or of 10 labels and more, received .0, 9."),
        ({"minutes": 0.0}, "expected minutes above 0, received 0.0"),
        ({"tested": 0}, "expected at least 1 image to test on, received 0"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        AuditSettings(**wrong)  # type: ignore[arg-type]


def test_budgets_that_are_no_numbers() -> None:
    with pytest.raises(OptionError, match="expected numbers of labels by commas, as in 0,50,200, received 'many'"):
        parse_budgets("many")
