"""Cuts: lines lie side by side, on the canvas' colour, and columns are led back to the image."""

import numpy as np

from captcha_solver.locate.cut import crop, cut, cuts, in_one_line
from captcha_solver.locate.regions import LocatedText
from captcha_solver.types import Box

IMAGE = np.random.default_rng(0).integers(0, 255, (80, 160, 3), np.uint8)
UPPER, LOWER = Box(30, 8, 130, 36), Box(40, 42, 140, 72)


def test_a_cut_knows_where_it_was_taken() -> None:
    view = cut(IMAGE, UPPER)
    np.testing.assert_array_equal(view.pixels, IMAGE[8:36, 30:130])
    assert view.pixels.flags.c_contiguous
    assert view.image_column(5.0) == 35.0


def test_lines_lie_side_by_side_and_their_columns_are_led_back() -> None:
    view = in_one_line(IMAGE, [UPPER, LOWER])
    assert view.pixels.shape == (30, 200, 3)
    np.testing.assert_array_equal(view.pixels[1:29, :100], IMAGE[8:36, 30:130])
    np.testing.assert_array_equal(view.pixels[:, 100:], crop(IMAGE, LOWER))
    assert view.image_column(2.0) == 32.0
    assert view.image_column(102.0) == 42.0


def test_what_is_added_has_the_colour_of_the_canvas() -> None:
    image = np.full((80, 160, 3), (200, 100, 50), np.uint8)
    assert (in_one_line(image, [UPPER, LOWER]).pixels == (200, 100, 50)).all()


def test_several_lines_are_read_both_ways_and_one_in_one() -> None:
    whole = Box(30, 8, 140, 72)
    assert [view.pixels.shape[:2] for view in cuts(IMAGE, LocatedText(whole, (UPPER, LOWER)))] == [(64, 110), (30, 200)]
    assert [view.pixels.shape[:2] for view in cuts(IMAGE, LocatedText(whole, (whole,)))] == [(64, 110)]


def test_columns_across_a_seam_stay_within_the_line_of_their_middle() -> None:
    view = in_one_line(IMAGE, [UPPER, LOWER])
    assert [view.image_column(column, 96.0) for column in (90.0, 104.0)] == [120.0, 130.0]
    assert [view.image_column(column, 103.0) for column in (95.0, 110.0)] == [40.0, 50.0]
    assert view.image_column(230.0, 190.0) == 140.0
