"""Lines of text: two and three rows are told from one, laid side by side, and columns are led back to the image."""

import numpy as np
import pytest

from captcha_solver.designs.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.lines import in_one_line, text_lines
from captcha_solver.solver import load_solver
from captcha_solver.types import Rgb


def rows(*bands: tuple[int, int], height: int = 80, ink: int = 20, canvas: int = 250) -> Rgb:
    image = np.full((height, 160, 3), canvas, np.uint8)
    for top, bottom in bands:
        for left in range(30, 130, 14):
            image[top:bottom, left : left + 6] = ink
    return image


@pytest.mark.parametrize(
    ("bands", "found"),
    [
        ([(20, 60)], 1),
        ([(8, 36), (42, 70)], 2),
        ([(5, 25), (30, 50), (55, 75)], 3),
        ([], 1),
    ],
)
@pytest.mark.parametrize(("ink", "canvas"), [(20, 250), (240, 10), (150, 200)])
def test_lines_are_counted_whatever_their_inks(bands: list[tuple[int, int]], found: int, ink: int, canvas: int) -> None:
    lines = text_lines(rows(*bands, ink=ink, canvas=canvas))
    assert len(lines) == found
    for (top, bottom), (low, high) in zip(lines, bands, strict=False):
        assert top <= low + 2
        assert bottom >= high - 2


def test_lines_lie_side_by_side_and_their_columns_are_led_back() -> None:
    image = rows((8, 36), (42, 70))
    image[42:70, 30:36] = 250  # the lower line starts a letter later
    view = in_one_line(image)
    assert view is not None
    assert view.pixels.shape[0] <= 40
    joint = view.pieces[1][0]
    assert view.image_column(2.0) == 30.0  # two columns of margin, then the upper line's first
    assert view.image_column(joint + 2.0) == 44.0


def test_one_line_is_left_alone() -> None:
    assert in_one_line(rows((20, 60))) is None


def test_drawn_designs_of_one_line_are_not_cut() -> None:
    for name in ("plain", "classic", "tilted", "crowded", "outline"):
        drawings = draw_batch(load_design(name), [None] * 60, np.random.default_rng(4))
        assert sum(len(text_lines(each.image)) > 1 for each in drawings) <= 1, name


def test_two_rows_are_read_top_to_bottom() -> None:
    drawings = draw_batch(load_design("double-deck"), [None] * 60, np.random.default_rng(2))
    solutions = load_solver("sliding").solve_batch([encode_png(each.image) for each in drawings])
    solved = [s.text.casefold() == d.text.casefold() for s, d in zip(solutions, drawings, strict=True)]
    assert np.mean(solved) > 0.4  # 0 where both rows are taken for one
