"""Distortions that move whole texts: scatter, arc, rows, clip, pale-inks, crisp and even-steps, by numbers."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from captcha_solver.designs.design import Canvas, Design, DistortionSpec, Range
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.drawing.draw import Drawing, draw, draw_batch
from captcha_solver.designs.drawing.page import plain_page
from captcha_solver.designs.knobs import PageDistortion, at_severity
from captcha_solver.designs.load import parse_design
from captcha_solver.errors import DesignError

BASE = """
[canvas]
width_px = 240
height_px = 120
[text]
charset = "OHX"
length = "6"
size_fraction = 0.25
[fonts]
faces = ["open-sans"]
[[palette]]
background_levels = 240
ink_levels = 20
"""
NEW = ["scatter", "arc", "rows", "clip", "pale-inks", "crisp", "even-steps"]


def design(kind: str, severity: float = 3, **knobs: float | str) -> Design:
    spec = DistortionSpec(kind, KINDS[kind](**knobs), Range(severity, severity), 1.0)
    return dataclasses.replace(parse_design(BASE, "base"), distortions=(spec,))


def drawn(made: Design, text: str = "OOOOOO", seed: int = 1) -> Drawing:
    return draw(made, text, np.random.default_rng(seed), owners=True)


def middles(drawing: Drawing) -> np.ndarray:
    """(glyphs, 2): x and y of each glyph's middle."""
    assert drawing.owners is not None
    spots = [np.nonzero(drawing.owners == i + 1) for i in range(len(drawing.text))]
    return np.array([[(x.min() + x.max()) / 2, (y.min() + y.max()) / 2] for y, x in spots])


@pytest.mark.parametrize("kind", NEW)
def test_a_seed_fixes_the_pixels(kind: str) -> None:
    np.testing.assert_array_equal(drawn(design(kind)).image, drawn(design(kind)).image)


@pytest.mark.parametrize("kind", NEW)
def test_severity_0_changes_no_layout(kind: str) -> None:
    page, plain = (
        plain_page(np.random.default_rng(0), [("A", "B")], [["lora"] * 2], np.array([30.0]), np.array([[90.0, 40.0]]))
        for _ in range(2)
    )
    distortion = at_severity(KINDS[kind](), 0)
    assert isinstance(distortion, PageDistortion)
    distortion.apply(page, np.ones((1, 1), np.bool_))
    for field in dataclasses.fields(page):
        if field.name not in ("rng", "texts", "faces", "coloured"):
            np.testing.assert_array_equal(getattr(page, field.name), getattr(plain, field.name), field.name)


def test_scattered_glyphs_stand_apart_and_at_different_heights() -> None:
    spots = middles(drawn(design("scatter", 5), "OOO"))
    plain = middles(drawn(design("scatter", 0), "OOO"))
    assert np.ptp(spots[:, 0]) > 1.3 * np.ptp(plain[:, 0])
    assert np.ptp(spots[:, 1]) > 10
    assert np.ptp(plain[:, 1]) < 1


@pytest.mark.parametrize("place", ["left", "middle"])
def test_steps_are_even_whatever_the_widths(place: str) -> None:
    drawing = drawn(design("even-steps", step_fraction=1.2, place=place), "XXOHXH")
    assert drawing.owners is not None
    columns = [np.flatnonzero((drawing.owners == i + 1).any(axis=0)) for i in range(6)]
    spots = [x.min() if place == "left" else (x.min() + x.max()) / 2 for x in columns]
    steps = np.diff(spots)
    assert steps.max() - steps.min() <= 1
    assert abs(steps.mean() - 1.2 * 30) < 1


def test_narrow_steps_lay_wide_glyphs_over_each_other() -> None:
    def width(step: float) -> int:
        drawing = drawn(design("even-steps", step_fraction=step), "OOOOOO")
        assert drawing.owners is not None
        return int(np.ptp(np.flatnonzero(drawing.owners.any(axis=0))))

    assert width(0.4) < 0.8 * int(np.ptp(middles(drawn(design("even-steps", 0), "OOOOOO"))[:, 0]))
    assert width(0.4) < width(0.8) < width(1.2)


def test_the_middles_of_glyphs_on_an_arc_lie_on_a_circle() -> None:
    for seed in range(4):
        spots = middles(drawn(design("arc", 5), seed=seed))
        a = np.concatenate([2 * spots, np.ones((6, 1))], axis=1)
        x, y, rest = np.linalg.lstsq(a, (spots**2).sum(axis=1), rcond=None)[0]
        radius = np.sqrt(rest + x**2 + y**2)
        assert radius < 200
        assert np.abs(np.hypot(spots[:, 0] - x, spots[:, 1] - y) - radius).max() < 1.5


@pytest.mark.parametrize("count", [2, 3])
def test_rows_are_read_from_top_to_bottom_and_left_to_right(count: int) -> None:
    spots = middles(drawn(design("rows", row_count=count))).reshape(count, 6 // count, 2)
    assert (np.diff(spots[:, :, 0], axis=1) > 0).all()
    assert all(upper[:, 1].max() + 10 < lower[:, 1].min() for upper, lower in pairwise(spots))


def row_edges(align: str, seed: int, text: str = "OOOXXHHH") -> np.ndarray:
    """(rows, 2): left and right edge of each row of a text whose rows differ in width."""
    drawing = drawn(design("rows", row_count=3, align=align), text, seed)
    assert drawing.owners is not None
    edges = []
    for first, last in ((1, 3), (4, 6), (7, 8)):
        columns = np.flatnonzero(((drawing.owners >= first) & (drawing.owners <= last)).any(axis=0))
        edges.append([columns[0], columns[-1]])
    return np.array(edges)


def test_rows_begin_at_one_edge_or_are_centred_or_indented() -> None:
    made = parse_design(BASE.replace('length = "6"', 'length = "8"'), "base")
    assert made.lettering.max_length == 8
    starts = []
    for seed in range(6):
        left, centred, indented = (row_edges(align, seed) for align in ("left", "centred", "indented"))
        assert np.ptp(left[:, 0]) <= 3, "bearings are all that differs"
        assert np.ptp(left.mean(axis=1)) > 5
        assert np.ptp(centred.mean(axis=1)) <= 1
        assert indented.min() >= 0
        assert indented.max() < 240
        starts.append(indented[:, 0] - indented[:, 0].min())
    spread = np.array(starts)
    assert spread.max() > 10
    assert spread.max() <= 1.5 * 30 + 3
    assert (spread.std(axis=0) > 3).all(), "any row may be the one that is indented most"


def test_clipped_glyphs_lose_a_part_but_never_most() -> None:
    whole = [(drawn(design("clip", 0), seed=s).image[:, :, 0] < 100).sum() for s in range(12)]
    cut = [(drawn(design("clip", 5, max_fraction=0.35), seed=s).image[:, :, 0] < 100).sum() for s in range(12)]
    shares = np.array(cut) / np.array(whole)
    assert shares.min() > 0.6
    assert shares.max() < 1


def test_pale_inks_differ_and_stay_near_the_canvas() -> None:
    drawing = drawn(design("pale-inks", contrast_levels=60))
    assert drawing.owners is not None
    assert drawing.image.min() >= 240 - 61
    inks = {tuple(np.median(drawing.image[drawing.owners == i + 1], axis=0).tolist()) for i in range(6)}
    assert len(inks) == 6


def test_crisp_glyphs_have_two_colours_and_the_size_asked_for() -> None:
    drawing = drawn(design("crisp", size_px=14), "HHXHXH")
    assert set(np.unique(drawing.image).tolist()) == {20, 240}
    assert 8 <= np.ptp(np.flatnonzero((drawing.image[:, :, 0] < 128).any(axis=1))) + 1 <= 12


def test_small_text_on_a_large_canvas_is_allowed() -> None:
    made = parse_design(BASE.replace("= 0.25", "= 0.05").replace("= 120", "= 300"), "base")
    assert np.ptp(np.flatnonzero((drawn(made).image[:, :, 0] < 128).any(axis=1))) < 16


STYLED = (
    BASE.replace("width_px = 240", "width_px = [100, 240]")
    + """
[style]
images = 4
[[distortion]]
kind = "lines"
probability = 0.5
colour = "random"
"""
)


def test_pictures_of_one_style_share_canvas_and_distortions_but_not_text() -> None:
    made = parse_design(STYLED, "styled")
    first, again = (draw_batch(made, [None] * 40, np.random.default_rng(3)) for _ in range(2))
    widths = np.array([drawing.image.shape[1] for drawing in first]).reshape(10, 4)
    assert (widths == widths[:, :1]).all()
    assert len(set(widths[:, 0].tolist())) > 5
    struck = np.array([(np.ptp(drawing.image, axis=2) > 0).any() for drawing in first]).reshape(10, 4)
    assert set(struck.sum(axis=1).tolist()) == {0, 4}
    assert len({drawing.text for drawing in first}) > 20
    assert all(a.text == b.text and (a.image == b.image).all() for a, b in zip(first, again, strict=True))


def test_given_texts_are_drawn_in_any_style_and_a_style_of_no_images_is_refused() -> None:
    made = parse_design(STYLED.replace('"OHX"', '["OH", "X"]'), "styled")
    assert [d.text for d in draw_batch(made, ["OX", "XX"] * 5, np.random.default_rng(0))] == ["OX", "XX"] * 5
    with pytest.raises(DesignError, match=r"style.images: expected 1 to 64, received 0"):
        parse_design(STYLED.replace("images = 4", "images = 0"), "styled")


def test_quiet_styles_and_aspects_are_held_to() -> None:
    quiet = parse_design(STYLED.replace("images = 4", "images = 1\nquiet_probability = 1\naspect = [2, 3]"), "styled")
    drawings = draw_batch(
        dataclasses.replace(quiet, canvas=Canvas(Range(100, 240), Range(20, 200))),
        [None] * 60,
        np.random.default_rng(0),
    )
    assert all(1.9 < d.image.shape[1] / d.image.shape[0] < 3.1 for d in drawings)
    assert np.mean([(np.ptp(d.image, axis=2) > 0).any() for d in drawings]) < 0.3
