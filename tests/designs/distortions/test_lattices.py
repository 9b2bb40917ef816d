"""Distortions made of many thin lines or dots, and those of file formats, by numbers."""

import dataclasses

import cv2
import numpy as np
import pytest

from captcha_solver.designs.design import Design, DistortionSpec, Range
from captcha_solver.designs.distortions.format import Rescale
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.drawing.draw import Drawing, draw
from captcha_solver.designs.drawing.scene import Scene
from captcha_solver.designs.load import parse_design
from captcha_solver.types import Rgb

BASE = """
[canvas]
width_px = 160
height_px = 80
[text]
charset = "OHX"
length = "4"
size_fraction = 0.4
[fonts]
faces = ["open-sans"]
[[palette]]
background_levels = 240
ink_levels = 20
"""
NEW = ["hatching", "fragments", "long-lines", "ellipses", "lattice", "bars", "invert-arc", "gif", "rescale"]


def design(kind: str, severity: float = 3, **knobs: float | str) -> Design:
    spec = DistortionSpec(kind, KINDS[kind](**knobs), Range(severity, severity), 1.0)
    return dataclasses.replace(parse_design(BASE, "base"), distortions=(spec,))


def drawn(kind: str, severity: float = 3, seed: int = 1, **knobs: float | str) -> Drawing:
    return draw(design(kind, severity, **knobs), "OHXO", np.random.default_rng(seed), owners=True)


def plain(seed: int = 1) -> Rgb:
    return draw(parse_design(BASE, "base"), "OHXO", np.random.default_rng(seed)).image


@pytest.mark.parametrize("kind", NEW)
def test_a_seed_fixes_the_pixels_and_another_one_does_not(kind: str) -> None:
    first, again, other = (drawn(kind, seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert first.shape != plain().shape or (first != plain()).any()


@pytest.mark.parametrize("kind", NEW)
def test_severity_0_leaves_every_pixel(kind: str) -> None:
    np.testing.assert_array_equal(drawn(kind, 0).image, plain())


@pytest.mark.parametrize("kind", ["hatching", "fragments", "long-lines", "ellipses"])
def test_hard_lines_make_no_new_colours_and_smooth_ones_do(kind: str) -> None:
    """Of the text's colour on an empty canvas: only the two colours, or greys between them."""
    free = plain().min(axis=2) == 240
    hard, smooth = (drawn(kind, edge=edge, colour="text").image[free] for edge in ("hard", "smooth"))
    assert set(np.unique(hard).tolist()) == {20, 240}
    assert len(np.unique(smooth)) > 10


@pytest.mark.parametrize("spacing", [3, 6])
def test_hatching_covers_one_pixel_in_its_spacing(spacing: float) -> None:
    free = plain().min(axis=2) == 240
    shares = [
        np.mean(drawn("hatching", 5, seed, spacing_px=spacing, directions="one").image[free] < 128) for seed in range(9)
    ]
    assert 0.6 / spacing < np.mean(shares) < 1.1 / spacing, (
        "a slanting line of whole pixels covers less than its length"
    )
    crossed = np.mean(drawn("hatching", 5, spacing_px=spacing, directions="two").image[free] < 128)
    assert crossed > 1.3 * min(shares)


def test_hatching_under_the_text_leaves_the_text() -> None:
    ink = plain().max(axis=2) == 20
    under, over = (drawn("hatching", layer=layer, colour="canvas").image[ink] for layer in ("under", "over"))
    assert under.max() == 20
    assert over.max() == 240


def test_fragments_are_many_small_pieces() -> None:
    free = plain().min(axis=2) == 240
    dark = drawn("fragments", 1, length_px=12, colour="text").image[:, :, 0] < 128
    marked = np.asarray(dark & free, np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    assert count > 10
    spans = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    assert np.median(spans) <= 20


def test_long_lines_go_from_edge_to_edge_in_several_colours() -> None:
    image = drawn("long-lines", 5).image
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    crossing = {tuple(colour) for colour in edges.tolist()} - {(240, 240, 240)}
    assert 5 <= len(crossing) <= 10, "ten lines, each of its own colour"


def test_ellipses_are_outlines_that_grow_with_their_size() -> None:
    """Marked pixels are few, and more of them the larger the ellipses are."""
    free = plain().min(axis=2) == 240
    small, large = (
        np.mean([np.mean(drawn("ellipses", seed=seed, size_fraction=size).image[free] < 128) for seed in range(9)])
        for size in (0.2, 0.6)
    )
    assert 0.003 < small < large < 0.1


@pytest.mark.parametrize(("rows", "pitch"), [("straight", 5), ("staggered", 6)])
def test_a_lattice_has_one_dot_to_a_cell_of_its_pitch(rows: str, pitch: int) -> None:
    free = plain().min(axis=2) == 240
    dots = drawn("lattice", 5, rows=rows, pitch_px=pitch, colour="text").image[:, :, 0] == 20
    ys, xs = (dots & free).nonzero()
    assert np.mean(dots[free]) == pytest.approx(1 / pitch**2, rel=0.15)
    assert len(np.unique(ys % pitch)) == 1
    assert len(np.unique(xs % pitch)) == (1 if rows == "straight" else 2)


@pytest.mark.parametrize("place", ["edges", "across"])
def test_bars_are_straight_and_leave_the_text_alone(place: str) -> None:
    for seed in range(9):
        drawing, before = drawn("bars", 5, seed, place=place, colour="random"), plain(seed)
        changed = (drawing.image != before).any(axis=2)
        assert changed.any()
        assert not (changed & (before.min(axis=2) < 240)).any()
        assert (changed.all(axis=1) == (changed.mean(axis=1) > 0.5)).all(), "rows are changed as a whole"
        if place == "across":
            assert (changed.any(axis=1) == changed.all(axis=1)).all()


def test_an_inverted_arc_is_the_negative_across_the_whole_width() -> None:
    for seed in range(9):
        image, before = drawn("invert-arc", seed=seed).image[:, :, 0], plain(seed)[:, :, 0]
        share = np.mean(image == 255 - before)
        assert 0.05 < share < 0.5
        columns = (image == 255 - before).any(axis=0)
        assert columns.mean() > 0.6


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg"])
@pytest.mark.parametrize("colours", [4, 16, 64])
def test_a_gif_has_no_more_colours_than_its_palette(dither: str, colours: int) -> None:
    shaded = DistortionSpec("gradient", KINDS["gradient"](), Range(5, 5), 1.0)
    made = design("gif", palette_colours=colours, dither=dither)
    made = dataclasses.replace(made, distortions=(shaded, *made.distortions))
    image = draw(made, "OHXO", np.random.default_rng(1)).image
    assert colours / 2 <= len(np.unique(image.reshape(-1, 3), axis=0)) <= colours


def test_a_dithered_gif_changes_colour_oftener_along_a_row() -> None:
    shaded = DistortionSpec("gradient", KINDS["gradient"](), Range(5, 5), 1.0)

    def changes(dither: str) -> int:
        made = design("gif", palette_colours=8, dither=dither)
        made = dataclasses.replace(made, distortions=(shaded, *made.distortions))
        image = draw(made, "OHXO", np.random.default_rng(1)).image
        return int((np.diff(image.astype(int), axis=1) != 0).any(axis=2).sum())

    assert changes("floyd-steinberg") > 2 * changes("none")


@pytest.mark.parametrize("scale", [0.5, 1.5, 3])
@pytest.mark.parametrize("resample", ["nearest", "linear", "cubic"])
def test_a_rescaled_picture_and_its_owners_have_the_new_size(scale: float, resample: str) -> None:
    drawing = drawn("rescale", scale_fraction=scale, resample=resample)
    assert drawing.owners is not None
    assert drawing.image.shape == (80 * scale, 160 * scale, 3)
    assert drawing.owners.shape == drawing.image.shape[:2]
    assert set(np.unique(drawing.owners)) == {0, 1, 2, 3, 4}
    dark = drawing.image[:, :, 0] < 80
    assert np.mean(drawing.owners[dark] > 0) > 0.9
    if resample == "nearest":
        assert set(np.unique(drawing.image)) <= set(np.unique(plain()))


def test_what_is_known_of_a_scene_is_rescaled_with_it() -> None:
    mask = np.zeros((40, 100), np.uint8)
    mask[10:30, 20:60] = 255
    scene = Scene(
        rng=np.random.default_rng(0), width_px=100, height_px=40, text=("A",), faces=["open-sans"],
        background=(240, 240, 240), ink=(20, 20, 20), mask=mask, inks=None, glyph_colours=None,
        owners=None, text_box=(20, 10, 60, 30), laid=True, stroke=3.5,
    )  # fmt: skip
    Rescale(scale_fraction=2).apply(scene)
    assert (scene.width_px, scene.height_px) == (200, 80)
    assert scene.text_box == (40, 20, 120, 60)
    assert scene.stroke_px == 7
    assert scene.image.shape == (80, 200, 3)
    assert (scene.image[20:60, 40:120] <= 128).all()


def test_no_picture_is_rescaled_beyond_what_a_warp_can_take() -> None:
    made = design("rescale", scale_fraction=3)
    wave = DistortionSpec("wave", KINDS["wave"](), Range(3, 3), 1.0)
    canvas = dataclasses.replace(made.canvas, width_px=Range(1000, 1000))
    made = dataclasses.replace(made, canvas=canvas, distortions=(*made.distortions, wave))
    assert draw(made, "OHXO", np.random.default_rng(1)).image.shape == (164, 2048, 3)


@pytest.mark.parametrize("kind", ["gif", "rescale"])
def test_a_picture_can_still_be_changed_afterwards(kind: str) -> None:
    made = design(kind)
    later = [DistortionSpec(name, KINDS[name](), Range(3, 3), 1.0) for name in ("salt-pepper", "wave", "swirl", "jpeg")]
    drawing = draw(dataclasses.replace(made, distortions=(*made.distortions, *later)), "OHXO", np.random.default_rng(1))
    assert (drawing.image[:, :, 0] > 250).any(), "grains of salt"
