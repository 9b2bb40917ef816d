"""Designs of small sums: what they write, how their images are labelled, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.arithmetic.expressions import SIGNS, parse_expression
from captcha_solver.cli.main import main
from captcha_solver.dataset import read_folder
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import parse_design
from captcha_solver.designs.write import to_toml
from captcha_solver.errors import DesignError


def design(text: str) -> Design:
    return parse_design(f'[canvas]\nwidth_px = 260\n[text]\nkind = "expression"\n{text}\n', "sums")


def texts(made: Design, count: int = 60) -> list[str]:
    return [each.text for each in draw_batch(made, [None] * count, np.random.default_rng(5))]


def test_sums_in_digits_and_signs() -> None:
    found = texts(design('signs = ["+", "-", "x"]\nlargest = 12\nendings = ["=?", ""]'))
    sums = [parse_expression(text) for text in found]
    assert all(each is not None and each.value >= 0 and max(each.left, each.right) <= 12 for each in sums)
    assert {each.sign for each in sums if each} == {SIGNS[sign] for sign in "+-x"}
    assert {text.endswith("=?") for text in found} == {True, False}
    assert not any("×" in text for text in found)


@pytest.mark.parametrize("language", ["en", "ru", "fr"])
def test_sums_in_words(language: str) -> None:
    found = texts(design(f'written = "{language}"\nlargest = 9'), 30)
    assert all(parse_expression(text) is not None and len(text) <= 20 for text in found)
    assert any(char.isalpha() for char in found[0])


def ink_width(made: Design, text: str) -> float:
    """How many columns the text takes, in the mean."""
    drawn = draw_batch(made, [text] * 20, np.random.default_rng(1))
    columns = [np.flatnonzero((each.image < 160).all(axis=2).any(axis=0)) for each in drawn]
    return float(np.mean([np.ptp(each) for each in columns]))


def test_blanks_between_the_parts_are_drawn_as_gaps() -> None:
    tight, wide = design("spaced_probability = 0"), design("spaced_probability = 1")
    assert not any(" " in text for text in texts(tight))
    assert all(text.count(" ") == 3 for text in texts(wide))
    assert ink_width(wide, "3 + 4 =?") > ink_width(tight, "3+4=?") + 5


def test_a_written_design_draws_the_same(tmp_path: Path) -> None:
    made = design('written = ["digits", "de"]\nlabel = "result"\nlargest = 9\nspaced_probability = 0.5')
    again = parse_design(to_toml(made), "again")
    assert again.lettering == made.lettering
    assert texts(again) == texts(made)


@pytest.mark.parametrize(("label", "number"), [("result", True), ("expression", False)])
def test_folders_are_labelled_as_the_design_says(tmp_path: Path, label: str, number: bool) -> None:
    (tmp_path / "d.toml").write_text(f'[text]\nkind = "expression"\nlabel = "{label}"\n')
    assert main(["draw", str(tmp_path / "d.toml"), "--count", "12", "--out", str(tmp_path / "o")]) == 0
    labels = [sample.text for sample in read_folder(tmp_path / "o")]
    assert all(text.isdecimal() is number for text in labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('signs = ["/"]', "expected signs out of"),
        ('written = "xx"', "expected digits or one of en, de"),
        ('endings = ["!"]', "expected = and"),
        ('label = "sum"', "expression, result"),
        ('charset = "digits"', "unknown key"),
        ("largest = 100", "expected 1 to 99"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        design(text)


def test_an_unknown_kind_of_text_is_refused() -> None:
    with pytest.raises(DesignError, match="random or expression"):
        parse_design('[text]\nkind = "riddle"\n', "d")
