"""Panels: what one says, what is not one, and that the committed one agrees with the rest of the project."""

import json
import re
from pathlib import Path

import pytest

from captcha_solver import __version__
from captcha_solver.audit.leaderboard.panel import Claim, Entrant, read_panel
from captcha_solver.audit.leaderboard.run import terms
from captcha_solver.audit_settings import Scope
from captcha_solver.designs.load import builtin_designs, load_design
from captcha_solver.errors import CaptchaSolverError, DesignError
from captcha_solver.models.bundle import shipped_bundles
from captcha_solver.training.recipes.steps import steps_for
from tests.paths import ROOT

COMMITTED = ROOT / "leaderboard" / "panel.toml"
OURS = "captcha-solver"
PANEL = """
seed = 3
tested = 40
budgets = [50, 0, 50]

[[design]]
name = "plain"
generator = "ours"
version = "1"
licence = "MIT"

[[design]]
name = "note"
generator = "theirs"
version = "2.0"
licence = "BSD"
taught = true
claim = { says = "strong", source = "its README", address = "https://example.com/readme" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "panel.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_panel_says_designs_and_one_budget(tmp_path: Path) -> None:
    panel = read_panel(written(tmp_path, PANEL))
    assert panel.entrants == (
        Entrant("plain", "ours", "1", "MIT"),
        Entrant("note", "theirs", "2.0", "BSD", True, Claim("strong", "its README", "https://example.com/readme")),
    )
    settings = panel.settings
    assert (settings.seed, settings.tested, settings.budgets, settings.scope) == (3, 40, (0, 50), Scope.LABELS)
    made = terms(panel, panel.entrants[1])
    assert (made.generator, made.version, made.seed, made.tested) == ("theirs", "2.0", 3, 40)
    assert (made.budgets, made.fold_case) == ((0, 50), True)
    assert made.steps == {"50": steps_for(50)}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("seed = 3", "sead = 3", "line 2: sead: unknown key"),
        ("seed = 3", "seed = -1", "line 2: seed: expected 0 to"),
        ("tested = 40", "tested = 0", "line 3: tested: expected 1 to"),
        ("[50, 0, 50]", "[0.5]", "line 4: budgets: expected whole numbers of labels, received [0.5]"),
        ("[50, 0, 50]", "[true]", "budgets: expected whole numbers"),
        ("[50, 0, 50]", "[3]", "expected budgets of 0, or of 10 labels and more"),
        ('name = "note"', 'name = "plain"', "expected each design once, received plain more often"),
        ('version = "2.0"', "", "line 12: design.version: expected text, received none"),
        ('licence = "BSD"', "licence = 3", "line 16: design.licence: expected text, received 3"),
        ("taught = true", "taught = 1", "line 17: design.taught: expected true or false, received 1"),
        ('says = "strong", ', "", "says: expected text, received none"),
        ("says =", "sais =", "sais: unknown key"),
        ("claim = {", "claim = [{", "expected a panel of designs in TOML"),
        ('claim = { says = "strong"', 'claim = "strong" # ', "claim: expected a table, received 'strong'"),
        ('"plain"\n', '"plain"\n?', "expected a panel of designs in TOML"),
    ],
)
def test_what_is_not_a_panel_is_told_by_the_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in PANEL
    with pytest.raises(CaptchaSolverError, match=re.escape(complaint)):
        read_panel(written(tmp_path, PANEL.replace(old, new, 1)))


def test_a_panel_needs_a_file_and_a_design(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"panel\.toml: expected a panel of designs, received nothing readable"):
        read_panel(tmp_path / "panel.toml")
    with pytest.raises(DesignError, match="expected at least one"):
        read_panel(written(tmp_path, "seed = 1\n"))


def test_the_committed_panel_has_enough_designs_and_all_those_of_others() -> None:
    names = {each.name for each in read_panel(COMMITTED).entrants}
    others = {name for name in builtin_designs() if load_design(name).command is not None}
    assert names <= set(builtin_designs())
    assert len(names) >= 12
    assert len(others) >= 5
    assert others <= names


def locked_versions() -> dict[str, str]:
    """``PyPI x`` or ``npm x`` -> the version that is installed of it."""
    locks = [ROOT / "requirements.lock", ROOT / "datasets/external/generators.lock"]
    pins = re.findall(r"^([\w.-]+)==(\S+)", "\n".join(path.read_text(encoding="utf-8") for path in locks), re.MULTILINE)
    versions = {f"PyPI {name}": version for name, version in pins}
    for path in (ROOT / "datasets/external").glob("*/package.json"):
        wanted = json.loads(path.read_text(encoding="utf-8"))["dependencies"]
        versions |= {f"npm {name}": version for name, version in wanted.items()}
    return versions


def test_the_committed_versions_are_those_that_are_installed() -> None:
    versions = {key.replace("-", ".").lower(): version for key, version in locked_versions().items()}
    readme = (ROOT / "datasets/README.md").read_text(encoding="utf-8")
    for entrant in read_panel(COMMITTED).entrants:
        if entrant.generator == OURS:
            assert entrant.version == __version__
        elif entrant.generator.startswith("PHP"):  # installed by the system's own package manager
            assert f"`php-gregwar-captcha` {entrant.version}" in readme
        else:
            assert versions[entrant.generator.replace("-", ".").lower()] == entrant.version


def test_the_committed_panel_says_what_the_attackers_were_taught_on() -> None:
    seen: set[str] = set()
    for route in ("sliding", "segmented"):
        card = json.loads((shipped_bundles()[route] / "bundle.json").read_text(encoding="utf-8"))["card"]
        seen |= {each["source"] for each in card["data"]["sources"]}
    if any("pypi" in source for source in seen):  # folders that PyPI captcha filled
        seen.add("external-pypi-captcha")
    for entrant in read_panel(COMMITTED).entrants:
        assert entrant.taught == (entrant.name in seen), entrant.name


def test_the_committed_claims_about_our_own_designs_are_those_of_their_summaries() -> None:
    for entrant in read_panel(COMMITTED).entrants:
        if entrant.generator == OURS:
            assert entrant.claim is not None
            assert load_design(entrant.name).summary.split(":")[0] == entrant.claim.says
            assert (ROOT / "leaderboard" / entrant.claim.address).resolve() == builtin_designs()[entrant.name].resolve()
