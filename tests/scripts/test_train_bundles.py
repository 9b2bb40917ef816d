"""The script that trains the shipped bundles: its plan is sound, and cut off it goes on."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from captcha_solver.models.bundle import MANIFEST
from captcha_solver.training.sources import parse_source
from scripts import train_bundles
from scripts.train_bundles import PICTURE_FOLDERS, SHIPPED, STAGES, TrainingStage, main, pictures_for, planned


def test_every_stage_starts_from_an_earlier_one_and_every_shipped_bundle_is_made(tmp_path: Path) -> None:
    stages = planned([], more=2, mnist=tmp_path)
    seen: set[str] = set()
    for stage in stages:
        assert stage.start is None or stage.start in seen
        seen.add(stage.name)
    assert set(SHIPPED) <= seen
    assert {"sliding-1", "sliding-2"} <= seen


def test_sources_are_designs_or_pictures_that_are_drawn() -> None:
    drawn = {each.name for each in PICTURE_FOLDERS}
    for stage in STAGES:
        for source in stage.names():
            if source.startswith("@"):
                assert source[1:].partition(":")[0] in drawn
            else:
                assert ":" not in parse_source(source).spec


def test_a_bundle_needs_only_what_leads_to_it() -> None:
    assert [stage.name for stage in planned(["segmented"], more=0, mnist=None)] == ["segmented-easy", "segmented"]
    assert pictures_for(planned(["locator"], more=0, mnist=None)) == []


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(click.UsageError, match="digits"):
        planned(["digits"], more=0, mnist=None)


def test_done_stages_are_skipped_and_a_cut_off_one_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fails = True

    def run(command: list[str]) -> None:
        out = Path(command[command.index("--out") + 1])
        calls.append(out.name)
        if out.name == "segmented" and fails:
            raise click.ClickException("cut off")
        out.mkdir(parents=True)
        (out / MANIFEST).touch()

    monkeypatch.setattr(train_bundles, "run", run)
    first = CliRunner().invoke(main, ["segmented", "--out", str(tmp_path / "runs")])
    assert first.exit_code != 0
    assert calls[-2:] == ["segmented-easy", "segmented"]
    calls.clear()
    fails = False
    again = CliRunner().invoke(main, ["segmented", "--out", str(tmp_path / "runs")])
    assert again.exit_code == 0, again.output
    assert calls == ["segmented"]


def test_a_stage_is_a_command_of_the_library(tmp_path: Path) -> None:
    stage = TrainingStage("b", "wild:2 @lower4:3", 10, "--seed 4", start="a")
    command = stage.command(tmp_path / "b", 0.1)
    assert command[3:] == [
        *("train", "wild:2", f"{tmp_path / 'pictures' / 'lower4'}:3", "--seed", "4"),
        *("--from", str(tmp_path / "a"), "--minutes", "1", "--out", str(tmp_path / "b")),
    ]


def test_more_sliding_stages_follow_and_the_last_is_fitted_and_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [stage.name for stage in planned(["sliding"], more=2, mnist=None)][-3:] == [
        "sliding",
        "sliding-1",
        "sliding-2",
    ]
    calls: list[str] = []
    installed: dict[str, str] = {}

    def run(command: list[str]) -> None:
        calls.append(" ".join(command[2:]))
        if "--out" in command:
            out = Path(command[command.index("--out") + 1])
            out.mkdir(parents=True)
            (out / MANIFEST).write_text("{}")

    monkeypatch.setattr(train_bundles, "run", run)
    monkeypatch.setattr(train_bundles, "_install", lambda bundle, place: installed.update({place.name: bundle.name}))
    done = CliRunner().invoke(main, ["sliding", "--more", "2", "--install", "--out", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    assert calls[-1] == f"captcha_solver.training.finishing.fit_views {tmp_path / 'runs' / 'sliding-2'} --write"
    assert installed == {"sliding": "sliding-2"}
