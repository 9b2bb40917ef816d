"""``captcha-solver import``: shows ten pairs, says where labels were found and what was lost."""

from pathlib import Path

import pytest

from captcha_solver.cli.main import main
from tests.labels.layouts import TEXTS, named, tabled


def test_it_shows_ten_pairs_and_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named("{0:02}_{1}.png")(tmp_path / "theirs")
    monkeypatch.chdir(tmp_path)
    assert main(["import", "theirs"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split() for line in lines[2:-1]] == [[f"{n:02}_{TEXTS[n]}.png", TEXTS[n]] for n in range(10)]
    assert lines[-1] == "30 images in theirs-labelled; labels: the second part of the file names"
    assert err == ""
    assert (tmp_path / "theirs-labelled" / "labels.csv").is_file()


def test_what_is_lost_is_a_warning_and_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tabled("t.csv", "{0}.png;{1}", "name;value\ngone.png;X\n")(tmp_path / "theirs")
    arguments = ["import", str(tmp_path / "theirs"), "--labels", "csv", "--columns", "name,2"]
    assert main([*arguments, "--out", str(tmp_path / "ours")]) == 1
    assert capsys.readouterr().err == "captcha-solver: warning: 1 row of t.csv names no image: 'gone.png'\n"


@pytest.mark.parametrize(("columns", "code"), [("one", 2), (",", 2), ("1,9", 2)])
def test_columns_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: str, code: int) -> None:
    tabled("t.csv", "{0}.png;{1}")(tmp_path / "theirs")
    assert main(["import", str(tmp_path / "theirs"), "--columns", columns, "--out", str(tmp_path / "ours")]) == code
    assert "--columns: expected" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_score_of_a_folder_without_labels_csv_says_this_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named("{1}.png")(tmp_path / "theirs")
    assert main(["score", str(tmp_path / "theirs")]) == 3
    assert f"captcha-solver import {tmp_path / 'theirs'}" in capsys.readouterr().err
