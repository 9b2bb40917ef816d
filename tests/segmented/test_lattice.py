"""Candidates of hand-made images: the whole glyphs must be among them, and their crops are normalised."""

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.segmented.lattice import Lattice, SegmentSettings, crop, find_lattice, normalise
from captcha_solver.types import Box

SETTINGS = SegmentSettings()
Shape = NDArray[np.float32]


def canvas(width: int = 160) -> Shape:
    return np.zeros((60, width), np.float32)


def ring(gray: Shape, left: int, top: int = 10, height: int = 40, width: int = 28) -> Box:
    """Draw a rectangular ring with strokes of 6 (a plain O) and say where."""
    gray[top : top + height, left : left + width] = 1.0
    gray[top + 6 : top + height - 6, left + 6 : left + width - 6] = 0.0
    return Box(left, top, left + width, top + height)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.right_px, other.right_px) - max(one.left_px, other.left_px)
    height = min(one.bottom_px, other.bottom_px) - max(one.top_px, other.top_px)
    shared = max(0, width) * max(0, height)
    areas = one.width_px * one.height_px + other.width_px * other.height_px
    return shared / (areas - shared)


def boxes(lattice: Lattice) -> list[Box]:
    cut = [crop(lattice, edge, SETTINGS) for edge in lattice.edges]
    return [piece[1] for piece in cut if piece is not None]


def found(gray: Shape, truth: list[Box], least: float) -> bool:
    lattice = find_lattice(gray, SETTINGS)
    assert lattice is not None
    return all(max(overlap(box, glyph) for box in boxes(lattice)) >= least for glyph in truth)


def test_glyphs_apart_are_found_whole() -> None:
    gray = canvas()
    assert found(gray, [ring(gray, 10), ring(gray, 60), ring(gray, 110)], 0.95)


def test_touching_glyphs_are_parted() -> None:
    gray = canvas()
    glyphs = [ring(gray, 20), ring(gray, 52), ring(gray, 84)]
    gray[26:33, 48:52] = gray[26:33, 80:84] = 1.0
    assert found(gray, glyphs, 0.85)


def test_a_broken_glyph_is_put_together() -> None:
    gray = canvas()
    glyph = ring(gray, 60)
    gray[:, 70:75] = 0.0
    assert found(gray, [glyph], 0.95)


def test_a_line_through_hides_no_glyph() -> None:
    gray = canvas()
    glyphs = [ring(gray, 10), ring(gray, 60), ring(gray, 110)]
    gray[34:36] = 1.0
    assert found(gray, glyphs, 0.85)


def test_glyphs_of_a_small_image_are_found_whole() -> None:
    big = canvas()
    ring(big, 20)
    ring(big, 80)
    gray = np.ascontiguousarray(big[::4, ::4])  # 15 x 40, glyphs of 10 x 7
    assert found(gray, [Box(5, 3, 12, 13), Box(20, 3, 27, 13)], 0.6)


@pytest.mark.parametrize("count", [1, 2, 7, 12])
def test_any_number_of_glyphs(count: int) -> None:
    gray = canvas(50 * count + 10)
    assert found(gray, [ring(gray, 10 + 50 * i) for i in range(count)], 0.9)


def test_no_ink_is_none() -> None:
    assert find_lattice(canvas(), SETTINGS) is None


def test_shares_sum_to_one_and_edges_are_within() -> None:
    gray = canvas()
    ring(gray, 10)
    ring(gray, 60)
    lattice = find_lattice(gray, SETTINGS)
    assert lattice is not None
    assert lattice.shares.sum() == pytest.approx(1.0)
    assert (lattice.edges[:, 0] < lattice.edges[:, 1]).all()
    assert lattice.edges.max() <= len(lattice.shares)
    assert len({tuple(edge) for edge in lattice.edges.tolist()}) == len(lattice.edges)


def test_two_equal_glyphs_give_equal_crops() -> None:
    gray = canvas()
    first, second = ring(gray, 10), ring(gray, 90)
    lattice = find_lattice(gray, SETTINGS)
    assert lattice is not None
    cut = [piece for edge in lattice.edges if (piece := crop(lattice, edge, SETTINGS)) is not None]
    crops = [max(cut, key=lambda piece: overlap(piece[1], glyph))[0] for glyph in (first, second)]
    assert np.abs(crops[0] - crops[1]).mean() < 0.01


def test_an_image_full_of_noise_is_cut_more_coarsely() -> None:
    noise = np.asarray(np.random.default_rng(0).random((60, 400)) > 0.5, np.float32).repeat(3, axis=0)
    lattice = find_lattice(noise, SegmentSettings(most_candidates=50))
    finer = find_lattice(noise, SETTINGS)
    assert lattice is not None
    assert finer is not None
    assert len(lattice.edges) <= 50 < len(finer.edges)


def test_slivers_and_lines_that_pass_by_are_left_out_of_the_crop() -> None:
    gray = canvas()
    glyph = ring(gray, 60)
    gray[52:54, 55:93] = 1.0  # a dash below, as wide as the piece
    gray[20:24, 92:93] = 1.0  # what a cut left of a neighbour
    lattice = find_lattice(gray, SETTINGS)
    assert lattice is not None
    first, last = lattice.edges[np.argmax(lattice.edges[:, 1] - lattice.edges[:, 0])]
    piece = crop(lattice, (first, last), SETTINGS)
    assert piece is not None
    assert overlap(piece[1], glyph) > 0.9


def test_no_candidate_spans_a_wide_gap() -> None:
    gray = canvas()
    ring(gray, 20, width=12)
    ring(gray, 45, width=12)  # 13 apart, 0.33 of the height: two thin glyphs, not a broken one
    lattice = find_lattice(gray, SETTINGS)
    assert lattice is not None
    assert not any(box.left_px < 32 and box.right_px > 45 for box in boxes(lattice))


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("shape", [(40, 10), (10, 40), (21, 21), (3, 2)])
def test_a_crop_keeps_its_aspect_and_fills_twenty_of_twenty_eight(side: int, shape: tuple[int, int]) -> None:
    pixels = normalise(np.ones(shape, np.float32), side)
    assert pixels.shape == (side, side)
    rows, columns = np.flatnonzero(pixels.max(axis=1)), np.flatnonzero(pixels.max(axis=0))
    sides = len(rows), len(columns)
    assert max(sides) == pytest.approx(side * 20 / 28, abs=1)
    assert sides[0] / sides[1] == pytest.approx(shape[0] / shape[1], rel=0.15)
    for line in (rows, columns):
        assert (line[0] + line[-1]) / 2 == pytest.approx((side - 1) / 2, abs=1.0)


def test_a_crop_is_centred_by_its_mass() -> None:
    heavy_left = np.full((30, 30), 0.5, np.float32)
    heavy_left[:, :10] = 1.0
    pixels = normalise(heavy_left, 32)
    columns = np.arange(32) + 0.5
    assert (pixels.sum(axis=0) @ columns) / pixels.sum() == pytest.approx(16, abs=0.6)


@pytest.mark.parametrize(
    "broken",
    [
        {"glyph_px": 4},
        {"threshold": 1.0},
        {"noise_prior": 0.0},
        {"longest": 0.0},
        {"most_intervals": 0},
        {"background_degree": 7},
    ],
)
def test_settings_out_of_range_are_refused(broken: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        SegmentSettings(**broken)  # type: ignore[arg-type]
