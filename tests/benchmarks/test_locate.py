"""The benchmark of finding the text: its figures by hand, and the drawer's truth that it goes by."""

import math

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from benchmarks.locate import (
    LocateTrial,
    Owners,
    Row,
    covered,
    drawable,
    drawn,
    height_ratio,
    main,
    summary,
    table,
    trial,
)
from captcha_solver.designs.drawing.draw import Drawing
from captcha_solver.designs.load import load_design, parse_design
from captcha_solver.types import Box

WHOLE = Box(0, 0, 20, 20)


def two_lines() -> Owners:
    """Rows 2-5 and 12-15 of 20x20: four columns of the first glyph, six of the second; 16 and 24 pixels."""
    owners = np.zeros((20, 20), np.uint8)
    owners[2:6, 3:7] = 1
    owners[12:16, 3:9] = 2
    return owners


def test_covered_counts_the_glyph_pixels_in_any_box_once() -> None:
    first, second = Box(3, 2, 7, 6), Box(3, 12, 9, 16)
    assert covered(two_lines(), [WHOLE]) == 1
    assert covered(two_lines(), [first]) == pytest.approx(16 / 40)
    assert covered(two_lines(), [first, second]) == 1
    assert covered(two_lines(), [first, Box(0, 0, 7, 6)]) == pytest.approx(16 / 40)
    assert covered(two_lines(), [Box(3, 2, 6, 5)]) == pytest.approx(9 / 40)  # half-open: three columns, three rows
    assert covered(two_lines(), []) == 0
    assert math.isnan(covered(np.zeros((4, 4), np.uint8), [Box(0, 0, 4, 4)]))


def test_covered_leaves_the_owners_as_they_are() -> None:
    owners = two_lines()
    covered(owners, [WHOLE])
    assert np.array_equal(owners, two_lines())


def test_height_ratio_is_of_the_text_that_a_region_holds() -> None:
    owners = two_lines()
    assert height_ratio(owners, [WHOLE]) == pytest.approx(20 / 14)  # rows 2-15
    assert height_ratio(owners, [Box(0, 0, 20, 8)]) == pytest.approx(8 / 4)
    assert height_ratio(owners, [Box(0, 1, 20, 7), Box(0, 11, 20, 17)]) == pytest.approx(12 / 8)
    assert height_ratio(owners, [Box(0, 4, 20, 9)]) == pytest.approx(5 / 2)  # rows 4 and 5 alone are in it
    assert height_ratio(owners, [Box(0, 1, 20, 7), Box(0, 7, 20, 11)]) == pytest.approx(10 / 4)  # an empty one costs


def test_height_ratio_without_text() -> None:
    assert math.isnan(height_ratio(np.zeros((4, 4), np.uint8), [Box(0, 0, 4, 4)]))
    assert math.isinf(height_ratio(two_lines(), [Box(10, 0, 20, 20)]))
    assert math.isinf(height_ratio(two_lines(), []))


def test_an_image_without_glyph_pixels_is_left_out() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    assert trial(Drawing(image, "a", np.zeros((20, 20), np.uint8)), lambda pixels: [WHOLE]) is None
    one = trial(Drawing(image, "ab", two_lines()), lambda pixels: [WHOLE])
    assert one is not None
    assert (one.covered, one.regions) == (1, 1)
    assert one.height_ratio == pytest.approx(20 / 14)


def test_a_summary_by_hand() -> None:
    row = summary(
        "a",
        [
            LocateTrial(1, 1.2, 1, 3),
            LocateTrial(0.99, 1.4, 2, 1),
            LocateTrial(0.5, 1.3, 2, 2),
            LocateTrial(0.98, math.inf, 1, 4),
        ],
    )
    assert (row.n, row.found) == (4, 0.5)
    assert row.ci95[0] < 0.5 < row.ci95[1]
    assert row.covered_median == pytest.approx(0.985)
    assert row.covered_p1 == pytest.approx(0.5 + 0.03 * 0.48)
    assert row.height_ratio == pytest.approx(1.35)
    assert (row.regions, row.ms) == (1.5, 2.5)


def test_the_last_line_names_the_designs_that_miss() -> None:
    good = Row("good", 200, 0.99, (0.96, 1), 1, 0.99, 1.4, 1, 0.2)
    cut = Row("cut", 200, 0.985, (0.95, 1), 1, 0.9, 1.2, 1, 0.2)
    tall = Row("tall", 200, 1, (0.98, 1), 1, 1, 1.41, 1, 0.2)
    lines = table([good, cut, tall]).splitlines()
    assert lines[2] == "| good | 200 | 99.0 (96.0-100.0) | 100.0 | 99.0 | 1.40 | 1 | 0.20 | yes |"
    assert lines[-1] == "2 of 3 miss: cut, tall"
    assert table([good]).splitlines()[-1] == "0 of 1 miss: none"


WARPED = """
[canvas]
width_px = 160
height_px = 60
[text]
charset = "upper"
length = "4"
[fonts]
kinds = ["sans"]
[[palette]]
background_levels = [255, 255]
ink_levels = [0, 0]
min_contrast_levels = 200
[[distortion]]
kind = "%s"
"""
DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def near(here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Within two pixels of ``here``."""
    return np.asarray(cv2.dilate(here.astype(np.uint8), DISC) > 0)


@pytest.mark.parametrize("kind", ["wave", "perspective", "swirl", "ripple", "text-wave", "pixelate"])
def test_the_owners_follow_what_moves_the_picture(kind: str) -> None:
    for drawing in drawn(parse_design(WARPED % kind, kind), 8, 1):
        assert drawing.owners is not None
        ink, owned = drawing.image.min(axis=2) < 100, drawing.owners > 0
        assert owned.any()
        assert near(ink)[owned].all()
        assert near(owned)[ink].all()


def test_only_drawn_designs_are_taken() -> None:
    names = drawable()
    assert {"plain", "wild"} <= set(names)
    assert all(load_design(name).command is None for name in names)


def test_the_command_prints_a_row_a_design() -> None:
    done = CliRunner().invoke(main, ["plain", "wild", "--count", "3"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| plain", "| wild"]
    assert " miss: " in lines[-1]


def test_the_same_seed_draws_the_same_images() -> None:
    first, again = (drawn(load_design("plain"), 3, 5) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
