"""Hand-made ink: lines and specks go, what belongs to letters stays."""

import numpy as np
import pytest

from captcha_solver.segmented.ink import Mask, find_ink, stroke_width, text_height, without_lines, without_specks


def letters() -> Mask:
    """Four letters H, 30 high and 20 wide with strokes of 6, on a 160 x 60 canvas."""
    mask = np.zeros((60, 160), np.uint8)
    for left in (12, 48, 84, 120):
        mask[15:45, left : left + 6] = 1
        mask[15:45, left + 14 : left + 20] = 1
        mask[27:33, left : left + 20] = 1
    return mask


def test_text_height_is_that_of_the_letters_not_of_the_specks() -> None:
    mask = letters()
    mask[2:4, 4:6] = mask[50:53, 70:73] = 1
    assert text_height(mask) == 30.0
    assert text_height(np.zeros((5, 5), np.uint8)) == 0.0


@pytest.mark.parametrize("width", [3, 6, 10])
def test_stroke_width_of_a_bar(width: int) -> None:
    mask = np.zeros((80, 60), np.uint8)
    mask[5:75, 20 : 20 + width] = 1
    assert stroke_width(mask) == pytest.approx(width, abs=1.0)


def test_a_strike_line_goes_and_the_letters_stay() -> None:
    mask = letters()
    struck = mask.copy()
    struck[38:40, 2:158] = 1
    cleaned = without_lines(struck, 30.0, 6.0)
    gaps = (struck == 1) & (mask == 0)
    assert cleaned[gaps].mean() < 0.25  # stubs of a pixel at the strokes may stay
    assert cleaned[mask == 1].mean() > 0.98


def test_thin_arms_of_letters_are_no_lines() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[15:45, 20:27] = 1  # a stem
    mask[15:17, 14:40] = mask[43:45, 14:40] = 1  # serifs and thin arms
    assert np.array_equal(without_lines(mask, 30.0, 7.0), mask)


def test_specks_go_and_the_dot_of_an_i_stays() -> None:
    mask = letters()
    mask[4:7, 4:7] = 1  # a speck of 3 x 3, strokes are 6
    mask[3:9, 70:76] = 1  # a dot as wide as a stroke
    cleaned = without_specks(mask, 30.0, 6.0)
    assert not cleaned[4:7, 4:7].any()
    assert cleaned[3:9, 70:76].all()
    assert np.array_equal(cleaned[15:45], mask[15:45])


@pytest.mark.parametrize("factor", [1, 4])
def test_the_working_size_follows_the_text(factor: int) -> None:
    gray = letters()[::1].astype(np.float32).repeat(factor, axis=0).repeat(factor, axis=1)
    ink = find_ink(gray, 40.0, 0.5)
    assert ink is not None
    assert ink.scale == pytest.approx(40.0 / (30.0 * factor))
    assert ink.text_px == pytest.approx(40.0)
    assert ink.stroke_px == pytest.approx(8.0, abs=1.5)
    assert ink.gray.shape == ink.mask.shape == (80, 213)


def test_no_ink_is_none() -> None:
    assert find_ink(np.zeros((30, 60), np.float32), 40.0, 0.5) is None
