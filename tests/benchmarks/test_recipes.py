"""The comparisons of recipes and families: differences are paired, a family is left out whole, a tiny run is whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import families, recipes
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.designs.write import to_toml
from captcha_solver.models.bundle import shipped_bundles


def test_a_difference_is_paired() -> None:
    ours = np.array([True, True, False, True] * 50)
    theirs = np.array([True, False, False, True] * 50)
    apart, half = recipes.difference([ours], [theirs])
    assert apart == pytest.approx(25)
    assert 5 < half < 7  # 1.96 * sqrt(0.1884 / 200)
    same, nothing = recipes.difference([ours], [ours])
    assert (same, nothing) == (0, 0)


def test_a_row_a_recipe_and_the_first_is_what_others_are_compared_with() -> None:
    right = {"ledger": np.array([True, False]), "wild": np.array([True, True]), "set": np.array([False, False])}
    better = {**right, "ledger": np.array([True, True])}
    outcomes = [recipes.RecipeOutcome("none", 10, right), recipes.RecipeOutcome("more", 12, better)]
    lines = recipes.table(outcomes, ["ledger"]).splitlines()
    assert lines[2].startswith("| none | 10 | 50.0 |  | 100.0 |")
    assert lines[3].startswith("| more | 12 | 100.0 | +50.0 ± ")


def test_every_recipe_differs_from_none_in_one_step() -> None:
    for name, recipe in recipes.RECIPES.items():
        changed = [field for field in recipe.described() if getattr(recipe, field) != getattr(recipes.NONE, field)]
        assert len(changed) == (0 if name == "none" or name in recipes.STRIPS else 1), name


def test_families_are_known_kinds_of_wild_and_apart() -> None:
    named = [kind for kinds in families.FAMILIES.values() for kind in kinds]
    assert len(named) == len(set(named))
    assert set(named) <= set(KINDS)
    assert set(named) <= {spec.kind for spec in load_design("wild").distortions}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_family_is_left_out_whole_and_drawn_alone(family: str, tmp_path: Path) -> None:
    wild, kinds = load_design("wild"), families.FAMILIES[family]
    lacking, only = families.without(wild, kinds), families.alone(wild, kinds)
    assert not {spec.kind for spec in lacking.distortions} & set(kinds)
    assert {spec.kind for spec in only.distortions} == set(kinds)
    assert len(lacking.distortions) + len(only.distortions) == len(wild.distortions)
    (tmp_path / "lacking.toml").write_text(to_toml(lacking), encoding="utf-8")
    assert {spec.kind for spec in load_design(str(tmp_path / "lacking.toml")).distortions} == {
        spec.kind for spec in lacking.distortions
    }
    assert len(draw_batch(only, [None] * 4, np.random.default_rng(0))) == 4


def test_a_comparison_of_families_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def shipped(source: str, steps: int, out: Path) -> Path:
        sources.append(Path(source).stem)
        return shipped_bundles()["sliding"]

    monkeypatch.setattr(families, "trained", shipped)
    out, family = tmp_path / "families", "warps"
    done = CliRunner().invoke(families.main, ["--count", "4", "--only", family, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert sources == ["wild", "warps"]
    assert "| warps | 4 |" in done.output
    assert "| +0.0 ± 0.0 |" in done.output  # the same bundle twice
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["steps"] == 3000
