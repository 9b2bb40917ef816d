"""Cells under the glyphs and the even-odd rule, by numbers."""

import dataclasses
from itertools import pairwise

import cv2
import numpy as np
import pytest

from captcha_solver.designs.design import Design, DistortionSpec, Range
from captcha_solver.designs.distortions.fills import LIGHTNESS, READABLE_LEVELS, readable
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.drawing.draw import Drawing, draw
from captcha_solver.designs.drawing.even_odd import crossing, lay_crossing, turned_over
from captcha_solver.designs.drawing.page import plain_page
from captcha_solver.designs.drawing.scene import Scene
from captcha_solver.designs.load import parse_design
from captcha_solver.types import Rgb

BASE = """
[canvas]
width_px = 200
height_px = 80
[text]
charset = "OHX"
length = "4"
size_fraction = 0.5
[fonts]
faces = ["open-sans"]
[[palette]]
background_levels = 240
ink_levels = 20
"""
NEW = ["cells", "even-odd"]


def spec(kind: str, severity: float = 3, **knobs: float | str) -> DistortionSpec:
    return DistortionSpec(kind, KINDS[kind](**knobs), Range(severity, severity), 1.0)


def design(*specs: DistortionSpec, base: str = BASE) -> Design:
    return dataclasses.replace(parse_design(base, "base"), distortions=specs)


def drawn(*specs: DistortionSpec, seed: int = 1, text: str = "OHXO", base: str = BASE) -> Drawing:
    return draw(design(*specs, base=base), text, np.random.default_rng(seed), owners=True)


def runs(line: Rgb) -> list[tuple[tuple[int, ...], int]]:
    """Colours along a line of pixels (n, 3), each with how many in a row have it."""
    ends = [*(np.flatnonzero((np.diff(line.astype(int), axis=0) != 0).any(axis=1)) + 1).tolist(), len(line)]
    return [(tuple(line[end - 1].tolist()), end - start) for start, end in pairwise([0, *ends])]


@pytest.mark.parametrize("kind", NEW)
def test_a_seed_fixes_the_pixels_and_severity_0_leaves_them(kind: str) -> None:
    first, again, other = (drawn(spec(kind), seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    off = drawn(spec(kind, 0)).image
    assert set(np.unique(off[:8]).tolist()) == {240}
    assert off.min() == 20


@pytest.mark.parametrize("seed", range(4))
def test_each_glyph_has_a_column_from_top_to_bottom(seed: int) -> None:
    drawing = drawn(spec("cells"), spec("spread"), seed=seed)
    assert drawing.owners is not None
    top, bottom = runs(drawing.image[0]), runs(drawing.image[-1])
    assert top == bottom
    assert len(top) == 4
    edges = np.cumsum([0, *(width for _, width in top)])
    for glyph, (left, right) in enumerate(pairwise(edges.tolist())):
        columns = np.flatnonzero((drawing.owners == glyph + 1).any(axis=0))
        assert left <= columns.min()
        assert columns.max() < right


@pytest.mark.parametrize("gap", [2, 6])
def test_bare_canvas_lies_between_columns(gap: int) -> None:
    canvas = (240, 240, 240)
    line = runs(drawn(spec("cells", gap_px=gap), spec("spread")).image[0])
    assert [colour == canvas for colour, _ in line] == [False, True, False, True, False, True, False]
    assert all(abs(width - gap) <= 1 for colour, width in line if colour == canvas)


@pytest.mark.parametrize("shape", ["columns", "boxes"])
def test_a_box_ends_near_its_glyph_and_a_column_does_not(shape: str) -> None:
    drawing = drawn(spec("cells", shape=shape))
    assert drawing.owners is not None
    painted = (drawing.image != 240).any(axis=2)
    rows = np.flatnonzero((drawing.owners > 0).any(axis=1))
    height = np.ptp(rows) + 1
    tall = np.ptp(np.flatnonzero(painted.any(axis=1))) + 1
    assert tall == 80 if shape == "columns" else height < tall < 1.4 * height


def test_neighbouring_cells_differ() -> None:
    gaps = []
    for seed in range(20):
        colours = [colour for colour, _ in runs(drawn(spec("cells", contrast_levels=100), seed=seed).image[0])]
        assert len(colours) == 4
        gaps += [np.abs(np.subtract(a, b)).max() for a, b in pairwise(colours)]
    assert 20 <= min(gaps) < max(gaps) <= 100


@pytest.mark.parametrize(
    ("ink", "cell", "lightness"),
    [(20, 240, 20), (200, 240, 160), (100, 60, 140), (127, 127, 207), (128, 128, 48), (0, 255, 0), (255, 255, 175)],
)
def test_an_ink_too_near_its_cell_is_moved_to_where_it_can_be_read(ink: int, cell: int, lightness: int) -> None:
    made = readable(np.full((1, 3), float(ink)), np.full((1, 3), float(cell)))
    np.testing.assert_allclose(made, lightness, atol=0.01)


@pytest.mark.parametrize("shape", ["columns", "boxes"])
def test_every_glyph_can_be_read_on_its_own_cell(shape: str) -> None:
    """On any canvas, in any ink, with cells as different as they may be."""
    base = BASE.replace("= 240", "= [0, 255]").replace("= 20\n", "= [0, 255]\n")
    for seed in range(20):
        kinds = [spec("glyph-colours"), spec("cells", 5, shape=shape)]
        drawing = drawn(*kinds, spec("spread"), seed=seed, base=base)
        assert drawing.owners is not None
        for glyph in range(1, 5):
            ink = cv2.erode((drawing.owners == glyph).astype(np.uint8), np.ones((2, 2), np.uint8)) > 0
            near = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
            ground = near & (cv2.dilate(drawing.owners, np.ones((3, 3), np.uint8)) == 0)
            gap = np.median(drawing.image[ink] @ LIGHTNESS) - np.median(drawing.image[ground] @ LIGHTNESS)
            assert abs(gap) > READABLE_LEVELS - 8


def test_rows_of_text_have_bands_of_cells() -> None:
    image = drawn(spec("rows"), spec("cells")).image
    top, bottom = runs(image[0]), runs(image[-1])
    assert len(top) == len(bottom) == 2
    assert {colour for colour, _ in top}.isdisjoint({colour for colour, _ in bottom})
    assert len(runs(image[:, 0])) == 2


def test_on_a_wide_arc_the_nearest_glyph_takes_the_place() -> None:
    base = BASE.replace("width_px = 200", "width_px = 100").replace("height_px = 80", "height_px = 240")
    base = base.replace("size_fraction = 0.5", "size_fraction = 0.08").replace('length = "4"', 'length = "8"')
    for seed in range(6):
        drawing = drawn(spec("arc", 5), spec("cells"), seed=seed, text="OHXOHXOH", base=base)
        assert drawing.owners is not None
        cells = {tuple(colour) for colour in drawing.image[drawing.owners == 0].tolist()}
        assert len(cells) >= 8


def test_the_fill_is_turned_over_where_both_cover() -> None:
    under, over = (np.array(row, np.uint8) for row in ([0, 255, 0, 255, 128], [0, 0, 255, 255, 255]))
    assert turned_over(under, over).tolist() == [0, 255, 255, 0, 127]


def test_what_two_glyphs_share_is_empty_and_belongs_to_none() -> None:
    """Three blocks along a line: 0-5, 3-8 and 4-6; where an odd number lies, the last of them owns the pixel."""
    scene = Scene(
        rng=np.random.default_rng(0), width_px=9, height_px=1, text=("A", "B", "C"), faces=["open-sans"],
        background=(240, 240, 240), ink=(20, 20, 20), mask=np.zeros((1, 9), np.uint8), inks=None, glyph_colours=None,
        owners=np.zeros((1, 9), np.uint8), text_box=(0, 0, 9, 1),
    )  # fmt: skip
    for index, (start, end) in enumerate([(0, 6), (3, 9), (4, 7)]):
        glyph = np.zeros((1, 9), np.uint8)
        glyph[0, start:end] = 255
        lay_crossing(scene, index, glyph, np.s_[0:1, 0:9])
    assert scene.mask[0].tolist() == [255, 255, 255, 0, 255, 255, 0, 255, 255]
    assert scene.owners is not None
    assert scene.owners[0].tolist() == [1, 1, 1, 0, 3, 3, 0, 2, 2]


def test_a_copy_is_moved_and_enlarged_about_the_middle() -> None:
    page = plain_page(np.random.default_rng(0), [("A",)], [["open-sans"]], np.array([10.0]), np.array([[40.0, 40.0]]))
    glyph = np.zeros((20, 20), np.uint8)
    glyph[8:12, 8:12] = 255
    page.copies[0, 0, 0] = 0.2, 0, 1  # two px to the right
    moved = crossing(page, (0, 0), glyph, np.array([9.5, 9.5], np.float32))
    assert np.flatnonzero(moved[10]).tolist() == [8, 9, 12, 13]
    page.copies[0, 0, 0] = 0, 0, 2
    grown = crossing(page, (0, 0), glyph, np.array([9.5, 9.5], np.float32)) > 127
    assert not grown[8:12, 8:12].any()
    assert np.flatnonzero(grown[10]).tolist() == [6, 7, 12, 13]
    assert np.flatnonzero(grown[:, 10]).tolist() == [6, 7, 12, 13]


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_owners_are_the_ink_and_emptied_parts_belong_to_nobody(copies: int) -> None:
    for seed in range(6):
        drawing = drawn(spec("overlap", 5, max_fraction=0.3), spec("even-odd", 4, copy_count=copies), seed=seed)
        assert drawing.owners is not None
        cover = np.round((240 - drawing.image[:, :, 0].astype(float)) / 220 * 255)
        assert (drawing.owners[cover > 82] > 0).all()
        assert (drawing.owners[cover < 79] == 0).all()
        assert set(np.unique(drawing.owners)) == {0, 1, 2, 3, 4}
        middles = [(drawing.owners == glyph).nonzero()[1].mean() for glyph in (1, 2, 3, 4)]
        assert middles == sorted(middles)


def test_neighbours_that_overlap_are_emptied_there_and_others_stay() -> None:
    def ink(spacing: DistortionSpec, severity: float) -> int:
        image = drawn(spacing, spec("even-odd", severity, copy_count=0), text="OOOO").image[:, :, 0].astype(int)
        return int((240 - image).sum())

    apart, together = spec("spread", 5), spec("overlap", 5, max_fraction=0.3)
    assert ink(apart, 3) == ink(apart, 0)
    assert ink(together, 3) < 0.97 * ink(together, 0)


@pytest.mark.parametrize("each", ["together", "apart"])
def test_all_glyphs_are_copied_alike_or_each_its_own_way(each: str) -> None:
    drawing = drawn(spec("even-odd", 5, copy_count=1, each=each), spec("spread", 5), text="OOOO")
    assert drawing.owners is not None
    boxes = [cv2.boundingRect((drawing.owners == glyph).astype(np.uint8)) for glyph in (1, 2, 3, 4)]
    sizes = np.array([box[2:] for box in boxes])
    spread = np.ptp(sizes, axis=0).max()
    assert spread <= 2 if each == "together" else spread > 2


def test_even_odd_glyphs_keep_colours_and_crisp_edges() -> None:
    coloured = drawn(spec("glyph-colours", 5), spec("even-odd", 4))
    assert coloured.owners is not None
    inks = {tuple(np.median(coloured.image[coloured.owners == glyph], axis=0).tolist()) for glyph in (1, 2, 3, 4)}
    assert len(inks) == 4
    crisp = drawn(spec("crisp", size_px=30), spec("even-odd", 4)).image
    assert set(np.unique(crisp).tolist()) == {20, 240}
