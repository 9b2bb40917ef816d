"""Designs in other scripts than Latin: what is drawn, in which order, with which faces, and what is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from captcha_solver.charset import NAMED
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import draw, draw_batch
from captcha_solver.designs.fonts import find_face
from captcha_solver.designs.load import load_design, parse_design
from captcha_solver.designs.write import to_toml
from captcha_solver.errors import DesignError

FACE = find_face("noto-sans-scripts").path


def design(text: str, more: str = "") -> Design:
    return parse_design(f"[text]\n{text}\n[fonts]\nmixed_probability = 0.3\n{more}", "mine")


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("name", [n for n in NAMED if n not in {"math"}])
def test_every_named_charset_can_be_drawn(name: str) -> None:
    drawings = draw_batch(design(f'charset = "{name}"'), [None] * 8, rng())
    assert {char for each in drawings for char in each.text} <= set(NAMED[name])
    assert all(each.image.min() < 128 for each in drawings)


def test_a_right_to_left_text_is_drawn_from_the_right() -> None:
    made = design('charset = "hebrew+digits"\nlength = 3', 'faces = ["noto-sans-hebrew"]')
    turned = draw(made, "וםם", rng(), owners=True)  # a narrow letter first, then two wide ones
    assert turned.text == "וםם"
    assert turned.owners is not None
    columns = [np.flatnonzero((turned.owners == i).any(axis=0)) for i in (1, 2, 3)]
    widths = [np.ptp(each) for each in columns]
    assert widths[2] < widths[0], "the narrow letter, read first, stands on the right"
    assert columns[0].mean() < columns[1].mean() < columns[2].mean()


def test_right_to_left_texts_have_one_row() -> None:
    rows = '[[distortion]]\nkind = "rows"\n'
    with pytest.raises(DesignError, match="one row of right-to-left text"):
        draw_batch(design('charset = "hebrew"\nlength = 6', rows), [None] * 4, rng())


def test_a_font_file_beside_the_design_is_drawn_with(tmp_path: Path) -> None:
    (tmp_path / "own.woff2").write_bytes(FACE.read_bytes())
    file = tmp_path / "mine.toml"
    file.write_text('[text]\ncharset = "жук+digits"\n[fonts]\nfiles = ["own.woff2"]\n', encoding="utf-8")
    made = load_design(file)
    assert made.fonts.faces == (str(tmp_path / "own.woff2"),)
    drawn = draw(made, "жук1", rng())
    again = parse_design(to_toml(made), "written", tmp_path)
    np.testing.assert_array_equal(draw(again, "жук1", rng()).image, drawn.image)
    assert cv2.cvtColor(drawn.image, cv2.COLOR_RGB2GRAY).min() < 160


@pytest.mark.parametrize(
    ("text", "fonts", "message"),
    [
        ('charset = "жук漢"', "", "'noto-sans-scripts', which has most of them, lacks '漢'"),
        ('charset = "жук"', 'faces = ["lato"]', "face 'lato' lacks 'жку'"),
        ('charset = "жук"', 'files = ["own.ttf"]', "came without the folder"),
        ('charset = "digits+digits"', "", "received digits repeatedly"),
    ],
)
def test_what_no_face_has_is_refused(text: str, fonts: str, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        design(text, fonts)


@pytest.mark.parametrize(("name", "message"), [("own.txt", "name of a font file"), ("own.ttf", "expected a font file")])
def test_a_file_that_is_no_font_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        parse_design(f'[fonts]\nfiles = ["{name}"]\n', "mine", tmp_path)


def test_a_text_of_other_characters_is_refused() -> None:
    with pytest.raises(DesignError, match=r"draws .*, received 'ж'"):
        draw(design('charset = "digits"'), "ж", rng())
