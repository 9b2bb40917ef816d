"""The sheet of random styles and the counts beside it."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from captcha_solver.designs.load import load_design
from scripts import style_sheet
from scripts.style_sheet import counts_of, main, sheet_of, table


def test_a_sheet_and_a_table_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_sheet, "COUNTED", 50)
    path = tmp_path / "new" / "sheet.png"
    done = CliRunner().invoke(main, ["wild", "--styles", "7", "--out", str(path)])
    assert done.exit_code == 0, done.output
    sheet = np.array(Image.open(path).convert("RGB"))
    assert sheet.shape[0] < sheet.shape[1]  # two rows of six
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 50
    assert "| none |" in done.output


def test_each_style_has_its_place() -> None:
    red, green = (np.full((20, 40, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))
    sheet = np.array(sheet_of([[red, green]] * 8))
    for colour in ((255, 0, 0), (0, 255, 0)):
        columns = (sheet == colour).all(axis=2).any(axis=0)
        rows = (sheet == colour).all(axis=2).any(axis=1)
        assert (np.diff(columns.astype(int)) == 1).sum() == 6
        assert (np.diff(rows.astype(int)) == 1).sum() == 2


def test_shares_are_of_all_styles() -> None:
    assert table([0, 1, 2, 2, 5, 9, 6, 6, 6, 6])[2:] == [
        "| none | 10 |",
        "| 1 or 2 | 30 |",
        "| 3 to 5 | 10 |",
        "| 6 or more | 50 |",
    ]


def test_two_of_five_styles_of_wild_have_at_most_two_distortions() -> None:
    counts = counts_of(load_design("wild"), np.random.default_rng(5), styles=600)
    assert sum(count <= 2 for count in counts) / len(counts) > 0.36


@pytest.mark.parametrize(("name", "said"), [("plain", "[style]"), ("nowhere", "nowhere")])
def test_a_design_without_styles_is_refused(name: str, said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [name, "--out", str(tmp_path / "sheet.png")])
    assert done.exit_code == 1
    assert said in done.output
