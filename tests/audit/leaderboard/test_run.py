"""The leaderboard: designs really are attacked, once; what cannot be is named; and the page holds by itself."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from captcha_solver.audit.attackers.attacks import STOCK
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.cells import Cell
from captcha_solver.audit.leaderboard import run as leaderboard
from captcha_solver.audit.leaderboard.panel import Panel, read_panel
from captcha_solver.audit.leaderboard.run import is_finished, read_entry, run_panel, stands, terms, write_page
from captcha_solver.audit.leaderboard.standings import Doubt, standing
from captcha_solver.audit.pages.page import percent
from captcha_solver.audit.plan import label_stages
from captcha_solver.audit.runner import LeftOut
from captcha_solver.audit.subjects.subject import open_subject
from captcha_solver.audit_settings import AuditSettings, Scope
from captcha_solver.cli.main import main
from captcha_solver.errors import DatasetError, OptionError, SetupError
from tests.paths import ROOT

COMMITTED = ROOT / "leaderboard"
PANEL = """
seed = 3
tested = 30
budgets = [0]

[[design]]
name = "plain"
generator = "ours"
version = "1"
licence = "MIT"
claim = { says = "as <b>hard</b> as any", source = "its README", address = "https://example.com/?a=1&b=2" }

[[design]]
name = "gauntlet"
generator = "ours"
version = "1"
licence = "MIT"
"""


@pytest.fixture(scope="module", autouse=True)
def without_stock_ocr() -> Iterator[None]:
    """The same attacks on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        for each in STOCK:
            patch.setattr(type(each), "missing", lambda self: "left out of these tests")
        yield


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both designs were attacked without labels."""
    out = tmp_path_factory.mktemp("board")
    (out / "panel.toml").write_text(PANEL, encoding="utf-8")
    run_panel(read_panel(out / "panel.toml"), out)
    return out


@pytest.fixture
def board(attacked: Path, tmp_path: Path) -> tuple[Panel, Path]:
    """The same, in a folder of the test's own, without the audits."""
    for path in [*attacked.glob("*.json"), attacked / "panel.toml"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return read_panel(tmp_path / "panel.toml"), tmp_path


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the designs that are attacked from now on; none of them really is."""
    names: list[str] = []

    def attack(subject: Any, *_: Any) -> Any:
        names.append(subject.name)
        raise SetupError("not installed: make external")

    monkeypatch.setattr(leaderboard, "Campaign", attack)
    return names


def test_an_entry_says_what_it_rests_on(board: tuple[Panel, Path]) -> None:
    panel, out = board
    entry = read_entry(out, panel.entrants[0])
    assert entry is not None
    assert entry.report
    attacks = {(row.name, row.labels): row for row in entry.report.attacks}
    assert attacks["sliding", 0].n == 30
    assert attacks["sliding", 0].rate > 0.8  # upright dark print on white
    assert entry.panel_sha256 == panel.sha256
    assert entry.terms == terms(panel, panel.entrants[0])
    assert entry.terms.attackers == entry.report.provenance.models
    assert entry.terms.version == "1"
    assert set(entry.report.provenance.models) == {"sliding", "segmented"}
    assert re.fullmatch("[0-9a-f]{64}", entry.report.provenance.images_sha256)
    assert entry.legibility
    assert entry.legibility.n == 200
    assert entry.specimen
    assert entry.specimen.startswith("data:image/png;base64,iVBOR")


def test_the_hash_is_that_of_the_tested_images(tmp_path: Path) -> None:
    def hashed(seed: int) -> str:
        settings = AuditSettings(budgets=(0,), tested=30, seed=seed, scope=Scope.LABELS)
        return Campaign(open_subject("plain"), settings, tmp_path).cell_runner().split.sha256

    assert hashed(1) == hashed(1) != hashed(2)


def test_only_the_label_curve_is_attacked(tmp_path: Path) -> None:
    settings = AuditSettings(budgets=(0, 20), tested=30, scope=Scope.LABELS)
    campaign = Campaign(open_subject("plain"), settings, tmp_path)
    cell_runner = campaign.cell_runner()
    assert len(cell_runner.split.pool) == 20  # none for what is trained on changed designs
    stages = campaign.due(cell_runner, [])
    assert [each.name for each in stages] == ["without labels", "label curve"]
    cells = [cell for stage in stages for cell in stage.cells]
    assert {Cell("sliding", 20), Cell("segmented", 20), Cell("sliding"), Cell("segmented")} <= set(cells)
    assert {cell.labels for cell in cells} == {0, 20}
    assert campaign.due(cell_runner, [], cells) == []  # all of them over: nothing else is due
    full = replace(campaign, settings=replace(settings, scope=Scope.FULL))
    assert full.due(cell_runner, [], cells) != []


def test_a_budget_above_the_pool_is_not_in_the_label_curve() -> None:
    stages = label_stages(AuditSettings(budgets=(0, 20, 50)), 20)
    assert {cell.labels for stage in stages for cell in stage.cells} == {0, 20}


def test_what_is_finished_is_not_attacked_again(board: tuple[Panel, Path], again: list[str]) -> None:
    panel, out = board
    run_panel(panel, out)
    assert again == []


def test_other_terms_are_attacked_anew(board: tuple[Panel, Path], again: list[str]) -> None:
    panel, out = board
    before = (out / "plain.json").read_bytes()
    other = replace(panel, settings=replace(panel.settings, seed=4))
    _, missing = write_page(other, out)
    assert set(missing.values()) == {"it was attacked under other terms than those of the panel now"}
    run_panel(other, out, ["gauntlet"])
    assert again == ["gauntlet"]
    assert (out / "plain.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "finished"),
    [
        (lambda entry: entry, True),
        (lambda entry: replace(entry, missing="not installed", report=UNSET), False),
        (lambda entry: replace(entry, terms=replace(entry.terms, version="2")), False),
        (lambda entry: replace(entry, terms=replace(entry.terms, attackers={"sliding": "0" * 64})), False),
        (lambda entry: replace(entry, report=replace(entry.report, left_out=(LeftOut(Cell("sliding"), ""),))), False),
        (lambda entry: replace(entry, panel_sha256="0" * 64), True),  # another claim, say: the result stands
        (lambda entry: None, False),
    ],
)
def test_what_makes_an_entry_finished(board: tuple[Panel, Path], change: Callable[[Any], Any], finished: bool) -> None:
    panel, out = board
    entry = read_entry(out, panel.entrants[0])
    assert is_finished(change(entry), panel, panel.entrants[0]) is finished


def test_a_result_of_earlier_models_is_shown_and_says_so(board: tuple[Panel, Path], tmp_path: Path) -> None:
    panel, out = board
    entry = read_entry(out, panel.entrants[0])
    assert entry is not None
    shown = tmp_path / "board"
    shown.mkdir()
    for name, attackers in (("now", entry.terms.attackers), ("earlier", {"sliding": "0" * 64})):
        made = replace(entry, terms=replace(entry.terms, attackers=attackers))
        (shown / f"{panel.entrants[0].name}.json").write_text(made.to_json(), encoding="utf-8")
        rows, missing = write_page(panel, shown)
        assert panel.entrants[0].name not in missing
        assert (Doubt.EARLIER in rows[0].doubts) == (name == "earlier")
    other = replace(entry, terms=replace(entry.terms, seed=99))
    assert not stands(other, panel, panel.entrants[0])


def test_a_generator_that_is_not_there_is_named_and_tried_again(board: tuple[Panel, Path], again: list[str]) -> None:
    panel, out = board
    (out / "plain.json").unlink()
    run_panel(panel, out)
    assert "not installed: make external" in (out / "index.html").read_text(encoding="utf-8")
    rows, missing = write_page(panel, out)
    assert [row.entrant.name for row in rows] == ["gauntlet"]
    assert missing == {"plain": "not installed: make external"}
    run_panel(panel, out)
    assert again == ["plain", "plain"]


@pytest.mark.parametrize("text", ["{", "[]", '{"entry_version": 0}'])
def test_a_broken_entry_is_told(board: tuple[Panel, Path], text: str) -> None:
    panel, out = board
    (out / "plain.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"plain\.json: expected"):
        write_page(panel, out)


def test_only_designs_of_the_panel(board: tuple[Panel, Path]) -> None:
    panel, out = board
    with pytest.raises(OptionError, match=r"expected designs of the panel \(plain, gauntlet\), received note"):
        run_panel(panel, out, ["note", "plain"])


class Seen(HTMLParser):
    """The tags of a page with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_holds_by_itself(board: tuple[Panel, Path]) -> None:
    panel, out = board
    write_page(panel, out)
    text = (out / "index.html").read_text(encoding="utf-8")
    seen = Seen(text)
    assert not seen.all("link")
    assert all("src" not in script for script in seen.all("script"))
    assert [str(image["src"])[:22] for image in seen.all("img")] == ["data:image/png;base64,"] * 2
    assert "url(" not in text
    assert "@import" not in text
    assert "as &lt;b&gt;hard&lt;/b&gt; as any" in text
    assert "<b>hard</b>" not in text
    assert "https://example.com/?a=1&amp;b=2" in text


def test_the_page_can_be_sorted_by_each_of_its_columns(board: tuple[Panel, Path]) -> None:
    panel, out = board
    rows, _ = write_page(panel, out)
    seen = Seen((out / "index.html").read_text(encoding="utf-8"))
    keys = [head["data-key"] for head in seen.all("th") if "data-key" in head]
    assert len(keys) == 9
    lines = [line for line in seen.all("tr") if "data-rate" in line]
    assert [line["data-name"] for line in lines] == [row.entrant.name for row in rows] == ["gauntlet", "plain"]
    for line in lines:
        assert {f"data-{key}" for key in keys} <= set(line)
    assert [float(str(line["data-rate"])) for line in lines] == [row.best.rate for row in rows]
    assert [line["data-claim"] for line in lines] == ["", "as <b>hard</b> as any"]


def test_the_command(board: tuple[Panel, Path], again: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, out = board
    assert main(["leaderboard", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()[2:]] == ["gauntlet", "plain"]
    assert f"the page is {out / 'index.html'}" in said.err
    assert main(["leaderboard", "--out", str(out), "--seed", "9", "--only", "plain"]) == 1
    assert again == ["plain"]
    assert "gauntlet is not on the board: it was attacked under other terms" in capsys.readouterr().err
    assert main(["leaderboard", "--out", str(out), "--only", "nothing"]) == 2
    assert main(["leaderboard", "--out", str(out), "--panel", str(out / "none.toml")]) == 3


def test_a_design_for_which_there_was_no_time_is_named(
    board: tuple[Panel, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = board
    (out / "gauntlet.json").unlink()
    assert main(["leaderboard", "--out", str(out), "--minutes-each", "0.0001"]) == 1
    assert "gauntlet is not on the board: nothing was measured: needs about" in capsys.readouterr().err
    assert main(["leaderboard", "--out", str(out)]) == 0
    entry = json.loads((out / "gauntlet.json").read_text(encoding="utf-8"))
    assert entry["report"]["attacks"][0]["n"] == 30


def test_the_committed_page_is_what_its_entries_say(tmp_path: Path) -> None:
    panel = read_panel(COMMITTED / "panel.toml")
    for entry in COMMITTED.glob("*.json"):
        shutil.copy(entry, tmp_path)
    write_page(panel, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (COMMITTED / "index.html").read_bytes()
    entries = {each: read_entry(COMMITTED, each) for each in panel.entrants}
    found = {each.name for each, entry in entries.items() if entry and not entry.missing and stands(entry, panel, each)}
    text = (COMMITTED / "index.html").read_text(encoding="utf-8")
    assert {str(tag["data-name"]) for tag in Seen(text).all("tr") if "data-rate" in tag} == found
    assert len(found) >= 12


def test_the_guide_shows_what_was_measured_of_others() -> None:
    page = (COMMITTED.parent / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    panel = read_panel(COMMITTED / "panel.toml")
    others = [entrant for entrant in panel.entrants if entrant.name.startswith("external-")]
    assert len(others) >= 5
    for entrant in others:
        entry = read_entry(COMMITTED, entrant)
        assert entry is not None
        row = standing(entrant, entry, panel.settings.prices)
        low, high = map(percent, row.best.ci95)
        said = f"{row.best.name}, {row.best.labels} labels: {percent(row.best.rate)} ({low} to {high})"
        (line,) = [line for line in page.splitlines() if said in line and f" {entrant.version} |" in line]
        assert entrant.generator in line.replace("`", "")
