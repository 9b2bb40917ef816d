"""Designs: what the drawer draws, that a seed fixes it, and that every distortion does something and can be off."""

import dataclasses
from itertools import islice

import numpy as np
import pytest

from captcha_solver.designs.design import Design, DistortionSpec, Range
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.distortions.layout import Hollow, Rotate
from captcha_solver.designs.drawing.draw import CHUNK, Drawing, draw, draw_batch, draw_run, random_texts
from captcha_solver.designs.drawing.styles import style_of
from captcha_solver.designs.fonts import common_families, families
from captcha_solver.designs.knobs import Phase, at_severity, check_value, knobs_of
from captcha_solver.designs.load import builtin_designs, load_design, parse_design
from captcha_solver.errors import DesignError
from captcha_solver.types import Rgb
from tests.paths import ROOT

BASE = """
name = "base"
[canvas]
width_px = 120
height_px = 48
[text]
charset = "ABC"
length = "3"
size_fraction = 0.7
[fonts]
faces = ["open-sans"]
[[palette]]
background_levels = 240
ink_levels = 20
"""
DRAWN = sorted(name for name, path in builtin_designs().items() if load_design(path).command is None)


def base(*distortions: DistortionSpec) -> Design:
    return dataclasses.replace(parse_design(BASE, "base"), distortions=distortions)


def spec(kind: str, severity: float, **options: float | str) -> DistortionSpec:
    return DistortionSpec(kind, KINDS[kind](**options), Range(severity, severity), 1.0)


def drawn(design: Design, seed: int = 5, text: str = "ABC") -> Drawing:
    return draw(design, text, np.random.default_rng(seed))


def test_plain_text_is_dark_ink_on_a_light_canvas_and_centred() -> None:
    image = drawn(base()).image
    assert image.shape == (48, 120, 3)
    assert image.dtype == np.uint8
    assert image[0, 0].tolist() == [240, 240, 240]
    assert image.min() == 20
    rows = np.flatnonzero((image[:, :, 0] < 128).any(axis=1))
    assert abs((rows[0] + rows[-1]) / 2 - 24) <= 2  # capitals stand in the middle of the height
    height = rows[-1] - rows[0]
    assert 0.7 * 48 * 0.6 <= height <= 0.7 * 48 * 0.9  # capitals are about 0.72 of the font size


@pytest.mark.parametrize("name", DRAWN)
def test_every_built_in_design_draws_its_own_charset_lengths_and_canvas(name: str) -> None:
    design = load_design(name)
    assert design.summary
    for drawing in islice(draw_run(design, 3), 12):
        height, width, channels = drawing.image.shape
        assert channels == 3
        assert drawing.image.dtype == np.uint8
        assert design.canvas.width_px.low <= width <= design.canvas.width_px.high
        assert design.canvas.height_px.low <= height <= design.canvas.height_px.high
        assert any(set(drawing.text) <= set(charset) for charset in design.lettering.charsets)
        assert design.lettering.min_length <= len(drawing.text) <= design.lettering.max_length


def test_there_are_a_dozen_designs_and_a_wild_one() -> None:
    assert len(DRAWN) >= 13
    assert "wild" in DRAWN


@pytest.mark.parametrize("name", ["classic", "wild", "gauntlet"])
def test_a_seed_fixes_every_pixel_and_another_seed_does_not(name: str) -> None:
    design = load_design(name)
    first, again, other = (list(islice(draw_run(design, seed), 5)) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert a.text == b.text
        np.testing.assert_array_equal(a.image, b.image)
    assert any(a.image.shape != b.image.shape or (a.image != b.image).any() for a, b in zip(first, other, strict=True))


def test_a_run_can_be_entered_anywhere() -> None:
    design = load_design("classic")
    whole = list(islice(draw_run(design, 7), CHUNK + 3))
    for start in (2, CHUNK - 1, CHUNK + 1):
        np.testing.assert_array_equal(next(draw_run(design, 7, start)).image, whole[start].image)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_distortion_is_off_at_severity_0_and_changes_the_picture_at_5(kind: str) -> None:
    def pictures(*distortions: DistortionSpec) -> list[Rgb]:
        design = parse_design(BASE.replace("= 240", "= [200, 255]").replace("= 20", "= [0, 150]"), "colourful")
        return [drawn(dataclasses.replace(design, distortions=distortions), seed).image for seed in range(4)]

    changed, untouched = pictures(spec(kind, 5)), pictures(spec(kind, 0))
    if KINDS[kind]().phase is not Phase.LAYOUT:  # a layout draws its random numbers all the same
        assert all((a == b).all() for a, b in zip(untouched, pictures(), strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(changed, untouched, strict=True))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_knobs_carry_a_unit_and_a_default_within_their_limits(kind: str) -> None:
    assert KINDS[kind].__doc__
    for name, knob in knobs_of(KINDS[kind]).items():
        default = getattr(KINDS[kind](), name)
        check_value(name, knob, default)
        if not knob.choices:
            assert name.rsplit("_", 1)[-1] in {
                "px", "deg", "fraction", "levels", "count", "quality", "colours", "probability",
            }  # fmt: skip


def test_severity_scales_strengths_in_proportion_and_holds_them_within_limits() -> None:
    assert [at_severity(Rotate(max_deg=30), float(s)).max_deg for s in (1, 3, 5)] == [10, 30, 50]
    strong = at_severity(Hollow(width_px=2.0, each_probability=0.9), 5.0)
    assert (strong.width_px, strong.each_probability) == (2.0, 1.0)


def test_a_stronger_rotation_turns_further() -> None:
    def tilt(severity: float) -> float:
        drawings = [drawn(base(spec("rotate-text", severity, max_deg=15)), seed, "A") for seed in range(30)]
        heights = [np.ptp(np.flatnonzero((d.image[:, :, 0] < 128).any(axis=0))) for d in drawings]
        return float(np.std(heights))

    assert tilt(0.0) < tilt(2.0) < tilt(5.0)


def test_owners_name_the_glyph_of_each_pixel_left_to_right_also_after_a_warp() -> None:
    design = base(spec("spread", 3), spec("wave", 3))
    drawing = draw(design, "ABC", np.random.default_rng(0), owners=True)
    assert drawing.owners is not None
    assert set(np.unique(drawing.owners)) == {0, 1, 2, 3}
    middles = [(drawing.owners == i).nonzero()[1].mean() for i in (1, 2, 3)]
    assert middles == sorted(middles)
    dark = drawing.image[:, :, 0] < 100
    assert (drawing.owners[dark] > 0).mean() > 0.9


def test_collapse_leaves_no_gap_between_glyphs() -> None:
    def gaps(drawing: Drawing) -> int:
        ink = (drawing.image[:, :, 0] < 160).any(axis=0)
        return int((np.diff(ink.astype(int)) == 1).sum())

    assert gaps(drawn(base(spec("spread", 5)), text="ABC")) == 3
    assert gaps(drawn(base(spec("collapse", 5)), text="BBB")) == 1


def test_translucent_glyphs_are_paler_alone_and_darker_where_they_overlap() -> None:
    def darkest(*distortions: DistortionSpec) -> int:
        return int(drawn(base(*distortions), text="BBB").image.min())

    alone = darkest(spec("spread", 5), spec("translucent", 5))
    crossing = darkest(spec("overlap", 5, max_fraction=0.5), spec("translucent", 5))
    assert 20 < crossing < alone - 10


def test_two_layers_set_the_second_half_below_the_first() -> None:
    drawing = draw(base(spec("two-layers", 3)), "ABCA", np.random.default_rng(1), owners=True)
    assert drawing.owners is not None
    rows = [(drawing.owners == i).nonzero()[0].mean() for i in (1, 2, 3, 4)]
    assert max(rows[:2]) < min(rows[2:])


@pytest.mark.parametrize("colours", [[], [spec("glyph-colours", 5)]])
def test_relief_empties_the_face_and_draws_about_it(colours: list[DistortionSpec]) -> None:
    flat = drawn(base(*colours)).image.astype(int)
    raised = drawn(base(*colours, spec("relief", 4))).image.astype(int)
    ink, was_ink = np.abs(raised - 240).max(axis=2) > 90, np.abs(flat - 240).max(axis=2) > 180
    assert was_ink.sum() > 100
    assert (ink & was_ink).sum() < 0.1 * was_ink.sum()
    assert (ink & ~was_ink).sum() > was_ink.sum() / 3


def test_zigzags_turn_about_one_end_of_the_text_and_reach_the_other() -> None:
    for seed in range(8):
        plain = drawn(base(), seed=seed).image
        struck = drawn(base(spec("zigzags", 3, width_px=2)), seed=seed).image
        columns = np.flatnonzero((plain != struck).any(axis=(0, 2)))
        text = np.flatnonzero((plain[:, :, 0] < 128).any(axis=0))
        assert np.ptp(columns) > 0.6 * np.ptp(text)


def test_edges_leave_flat_parts_grey() -> None:
    image = drawn(base(spec("edges", 3))).image
    assert image[0, 0].tolist() == [127, 127, 127]
    assert image.min() < 60
    assert image.max() > 200


def test_random_texts_are_cut_where_the_canvas_is_narrow_and_given_ones_are_not() -> None:
    design = parse_design('[canvas]\nwidth_px = [40, 100]\n[text]\nlength = "8"\nmin_pitch_px = 10', "t")
    drawings = draw_batch(design, [None] * 64 + ["abcdefgh"], np.random.default_rng(0))
    assert {len(d.text) for d in drawings[:-1]} == {4, 5, 6, 7, 8}
    assert all(len(d.text) == min(8, d.image.shape[1] // 10) for d in drawings[:-1])
    assert drawings[-1].text == "abcdefgh"


def test_marks_of_the_texts_colour_add_only_that_colour() -> None:
    image = drawn(base(spec("lines", 5, colour="text"), spec("dots", 3, colour="text"))).image
    assert len(np.unique(image[:, :, 0])) <= 256
    assert image.min() == 20
    assert image.max() == 240
    assert (image[:, :, 0] == image[:, :, 2]).all()


def test_a_long_text_is_made_to_fit() -> None:
    design = dataclasses.replace(base(), lettering=dataclasses.replace(base().lettering, lengths=((4, 12),)))
    image = drawn(design, text="ABCABCABCABC").image
    columns = np.flatnonzero((image[:, :, 0] < 128).any(axis=0))
    assert columns[0] >= 0
    assert np.ptp(columns) <= 120 * 0.94 + 1


def test_batches_may_mix_lengths() -> None:
    drawings = draw_batch(base(), ["A", "ABC", "AB"], np.random.default_rng(0))
    widths = [np.ptp(np.flatnonzero((d.image[:, :, 0] < 128).any(axis=0))) for d in drawings]
    assert widths[0] < widths[2] < widths[1]
    assert draw_batch(base(), [], np.random.default_rng(0)) == []


def test_random_texts_use_every_length_and_character() -> None:
    design = parse_design('[text]\ncharset = "AB"\nlength = "2-3"', "t")
    texts = set(random_texts(design, 200, np.random.default_rng(0)))
    assert texts == {a + b + c for a in "AB" for b in "AB" for c in ("", "A", "B")}


def test_a_text_outside_the_charset_is_refused() -> None:
    with pytest.raises(DesignError, match=r"draws 'ABC', received 'AX'"):
        draw(base(), "AX", np.random.default_rng(0))


def test_a_command_design_is_not_drawn_here() -> None:
    design = load_design("external-pypi-captcha")
    with pytest.raises(DesignError, match="captcha-solver draw"):
        draw(design, None, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("edit", "line", "says"),
    [
        (
            ("width_px = 120", "widht_px = 120"),
            4,
            "canvas.widht_px: unknown key; expected one of width_px, height_px",
        ),
        (("width_px = 120", 'width_px = "120 px"'), 4, "canvas.width_px: expected a number"),
        (("height_px = 48", "height_px = 4"), 5, "expected 12 to 1000, received 4"),
        (("height_px = 48", "height_px = [60, 40]"), 5, "low <= high"),
        (('length = "3"', 'length = "9-2"'), 8, "text.length: expected 1 <= low <= high"),
        (('length = "3"', 'length = "many"'), 8, "text.length: expected a number"),
        (('length = "3"', 'length = ["4", "9-2"]'), 8, "text.length: expected 1 <= low <= high"),
        (('name = "base"', "busy_fraction = 2"), 2, "busy_fraction: expected 0 to 1, received 2"),
        (('faces = ["open-sans"]', 'faces = ["open-snas"]'), 11, "no face 'open-snas'"),
        (('charset = "ABC"', 'charset = ""'), 7, "text.charset"),
        (("ink_levels = 20", "ink_levels = 300"), 14, "palette.ink_levels: expected 0 to 255, received 300"),
        (("ink_levels = 20", "ink_levels = 239\nmin_contrast_levels = 60"), 15, "widest gap"),
    ],
)
def test_a_broken_design_names_the_key_and_the_line(edit: tuple[str, str], line: int, says: str) -> None:
    with pytest.raises(DesignError) as error:
        parse_design(BASE.replace(*edit), "mine.toml")
    assert f"mine.toml, line {line}: " in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ('kind = "rotat"', 17, "no distortion 'rotat'; expected one of rotate"),
        ('kind = "rotate"\nmax_rad = 1', 18, "max_rad: unknown key"),
        ('kind = "rotate"\nmax_deg = 500', 18, "max_deg: expected 0 to 180"),
        ('kind = "rotate"\nmax_deg = "20 deg"', 18, "max_deg: expected a number"),
        ('kind = "rotate"\nseverity = 6', 18, "severity: expected 0 to 5, received 6"),
        ('kind = "lines"\ncolour = "pink"', 18, "colour: expected one of text, random, canvas, mixed"),
        ('kind = "jpeg"\nprobability = 2', 18, "probability: expected 0 to 1"),
    ],
)
def test_a_broken_distortion_names_the_key_and_the_line(body: str, line: int, says: str) -> None:
    good = '[[distortion]]\nkind = "blur"\n'
    with pytest.raises(DesignError) as error:
        parse_design(BASE.strip("\n") + "\n" + good + "[[distortion]]\n" + body, "mine.toml")
    assert f"mine.toml, line {line}: " in str(error.value), str(error.value)
    assert says in str(error.value)


def test_toml_that_is_none_says_so() -> None:
    with pytest.raises(DesignError, match=r"mine.toml: not valid TOML: .*line 1"):
        parse_design("name = ", "mine.toml")


def test_a_design_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(DesignError, match=r"no design 'clasic'.*classic"):
        load_design("clasic")


def test_the_guide_names_every_distortion_and_parameter() -> None:
    guide = (ROOT / "docs" / "designs.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        row = next((line for line in guide.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert all(f"`{knob}`" in row for knob in knobs_of(kind)), name


def test_a_bitmap_glyph_is_made_of_square_cells_of_one_colour() -> None:
    image = drawn(base(spec("bitmap", 3, rows_count=8)), text="A").image[:, :, 0]
    smooth = drawn(base(), text="A").image[:, :, 0]
    assert set(np.unique(image).tolist()) == {20, 240}, "no grey edges"
    assert len(np.unique(smooth)) > 10
    sides = np.diff(np.flatnonzero(np.diff(np.pad(image < 128, 1).astype(int).ravel())))
    assert sides.min() >= 3, "of 34 px in 8 rows a cell has 4, give or take what does not come out even"


def test_uneven_cells_make_some_rows_higher_and_the_glyph_no_larger() -> None:
    even, uneven = (
        drawn(base(spec("bitmap", 3, rows_count=8, uneven_fraction=share)), text="A").image[:, :, 0] for share in (0, 1)
    )
    assert set(np.unique(uneven).tolist()) == {20, 240}
    assert np.ptp(np.flatnonzero((uneven < 128).any(axis=0))) == np.ptp(np.flatnonzero((even < 128).any(axis=0)))
    assert not np.array_equal(even, uneven)


def test_a_wave_of_whole_pixels_makes_no_new_colours() -> None:
    smooth, jagged = (drawn(base(spec("wave", 4, resample=how))).image for how in ("linear", "nearest"))
    straight = set(np.unique(drawn(base()).image).tolist())
    assert set(np.unique(jagged).tolist()) <= straight
    assert not set(np.unique(smooth).tolist()) <= straight


def test_busy_designs_have_more_distortions_than_quiet_ones() -> None:
    marks = [dataclasses.replace(spec("lines", 5, colour="random"), probability=0.5)]
    shares = []
    for busy in (Range(0, 0), Range(0.2, 0.2), Range(1, 1)):
        design = dataclasses.replace(base(*marks), busy_fraction=busy)
        images = [drawing.image for drawing in draw_batch(design, ["ABC"] * 200, np.random.default_rng(1))]
        shares.append(float(np.mean([(np.ptp(image, axis=2) > 0).any() for image in images])))
    assert shares[0] == 0
    assert 0.05 < shares[1] < 0.16, "a tenth of them"
    assert 0.4 < shares[2] < 0.6, "half of them"


def with_fonts(fonts: str, charset: str = '"alnum"', style: str = "") -> Design:
    text = BASE.replace('faces = ["open-sans"]', fonts).replace('charset = "ABC"', f"charset = {charset}")
    return parse_design(text + style, "base")


def test_only_a_design_that_says_so_takes_the_wide_faces() -> None:
    wide = {name for name, face in families().items() if face.wide}
    assert len(families()) >= 250
    assert len(common_families()) == 109, "the faces that every other design draws with"
    for fonts in ("", 'kinds = ["sans", "display"]', "wide = false"):
        assert not set(with_fonts(fonts).fonts.faces) & wide
        assert with_fonts(fonts).fonts.partial == ()
    assert {"arimo", "ribeye"} <= set(with_fonts("wide = true").fonts.faces)
    display = with_fonts('kinds = ["display"]\nwide = true').fonts.faces
    assert "ribeye" in display
    assert "arimo" not in display
    assert with_fonts('faces = ["arimo"]').fonts.faces == ("arimo",)
    assert "arimo" not in with_fonts('wide = true\nexclude = ["arimo"]').fonts.faces
    users = [name for name in DRAWN if set(load_design(name).fonts.faces) & wide]
    assert users == ["wild"]


def test_wide_is_true_or_false() -> None:
    with pytest.raises(DesignError, match="expected true or false, received 'yes'"):
        with_fonts('wide = "yes"')


def test_a_style_takes_faces_without_lower_case_where_its_charset_has_none() -> None:
    style = "\n[style]\nimages = [1, 1]\n"
    design = with_fonts('kinds = ["pixel"]\nwide = true', '["lower", "upper"]', style)
    assert "silkscreen" in design.fonts.partial
    assert "silkscreen" not in design.fonts.faces
    rng = np.random.default_rng(1)
    seen = {False: set[str](), True: set[str]()}
    for _ in range(300):
        made, _ = style_of(design, rng, any_text=True)
        assert made.fonts.partial == ()
        seen["a" in made.lettering.charsets[0]] |= set(made.fonts.faces)
    assert "silkscreen" in seen[False]
    assert "silkscreen" not in seen[True]
    given, _ = style_of(design, rng, any_text=False)
    assert set(given.fonts.faces) <= set(design.fonts.faces)
    excluded = with_fonts('kinds = ["pixel"]\nwide = true\nexclude = ["silkscreen"]', '"alnum"', style)
    assert "silkscreen" not in excluded.fonts.partial


def test_ghosts_are_drawn_in_faces_that_lack_digits() -> None:
    plain = with_fonts('faces = ["silkscreen"]', '"ABC"')  # its 0 is missing
    design = dataclasses.replace(plain, distortions=(spec("ghosts", 5),))
    for drawing in draw_batch(design, ["ABC"] * 50, np.random.default_rng(1)):
        assert (drawing.image != drawn(plain).image).any()


def test_a_text_takes_one_of_several_spans_of_lengths() -> None:
    design = parse_design(BASE.replace('length = "3"', 'length = ["2", "6-7"]'), "base")
    lengths = [len(text) for text in random_texts(design, 300, np.random.default_rng(0))]
    assert set(lengths) == {2, 6, 7}
    assert 100 < lengths.count(2) < 200
