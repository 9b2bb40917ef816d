"""The font index against the files, and every declared character against what is really drawn."""

import hashlib
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import DIGITS, LOWER, NAMED, UPPER
from captcha_solver.designs.fonts import (
    ALNUM,
    compact,
    faces_for,
    faces_of_kind,
    faces_with_all,
    families,
    find_face,
    glyph_mask,
    kinds,
    load_font,
)
from captcha_solver.designs.places import data_folder
from captcha_solver.errors import DesignError, SetupError
from tests.paths import ROOT

FONTS = data_folder("fonts")
INDEX: dict[str, Any] = tomllib.loads((FONTS / "fonts.toml").read_text(encoding="utf-8"))["families"]
LICENCES = {
    "OFL-1.1": "SIL Open Font License",
    "Apache-2.0": "Apache License",
    "Bitstream-Vera": "Bitstream Vera Fonts Copyright",
    "Ubuntu-font-1.0": "Ubuntu Font Licence",
    "MIT": "MIT License",
}
UNMISTAKABLE = "ABDEGHNQRT"  # letters whose upper and lower case are built differently


def script(char: str) -> str:
    name = unicodedata.name(char).split()[0]
    return name if name in {"GREEK", "CYRILLIC", "HEBREW", "ARABIC-INDIC", "EXTENDED"} else "LATIN"


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Correlation of two masks stretched to one size: near 1 for shapes that differ in size alone."""
    stretched = [cv2.resize(mask, (32, 32), interpolation=cv2.INTER_AREA) for mask in (one, other)]
    first, second = (cv2.GaussianBlur(mask, (0, 0), 1.2).ravel().astype(np.float64) for mask in stretched)
    return float(np.corrcoef(first, second)[0, 1])


def test_the_index_is_what_lies_in_the_folder() -> None:
    listed = {f"{name}/{face['file']}" for name, family in INDEX.items() for face in family["faces"].values()}
    found = {str(path.relative_to(FONTS)) for path in FONTS.glob("*/*") if path.name != "LICENSE"}
    assert listed == found
    assert sum(path.stat().st_size for path in FONTS.rglob("*") if path.is_file()) < 7_000_000


@pytest.mark.parametrize("name", INDEX)
def test_a_family_has_its_licence_source_and_hashes(name: str) -> None:
    family = INDEX[name]
    licence = (FONTS / name / "LICENSE").read_text(encoding="utf-8", errors="replace")
    assert LICENCES[family["license"]].casefold() in licence.casefold()
    assert family["source"].split(":")[0] in {"npm", "pypi"}
    assert family["version"]
    for face in family["faces"].values():
        data = (FONTS / name / face["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == face["sha256"]


def test_no_face_is_cut_down_whose_licence_reserves_its_name() -> None:
    cut = [name for name, family in INDEX.items() if any("member_sha256" in face for face in family["faces"].values())]
    assert len(cut) > 100
    for name in cut:
        notice = (FONTS / name / "LICENSE").read_text(encoding="utf-8", errors="replace").split("-----")[0]
        assert "reserved font name" not in notice.casefold(), name
        assert INDEX[name]["license"] in {"OFL-1.1", "Apache-2.0", "Bitstream-Vera", "MIT"}, name


def test_there_are_a_few_dozen_families_of_seven_kinds() -> None:
    assert len(INDEX) >= 40
    assert set(kinds()) == {"sans", "serif", "mono", "slab", "script", "display", "pixel"}
    assert all(len(faces_of_kind(kind)) >= 5 for kind in kinds())


@pytest.mark.parametrize("name", families())
def test_a_face_draws_each_character_it_declares(name: str) -> None:
    face = families()[name]
    missing = load_font(name, 40).getmask("\uffff")
    drawn: dict[bytes, str] = {}
    for char in face.charset:
        mask = glyph_mask(name, char, 40)
        assert mask.pixels.max() > 100, f"{char} is blank"
        assert mask.pixels[0].any()
        assert mask.pixels[:, -1].any()
        same_as_missing = load_font(name, 40).getmask(char)
        assert bytes(same_as_missing) != bytes(missing), f"{char} is the box for a missing glyph"
        shape = bytes(mask.pixels.shape) + mask.pixels.tobytes()
        twin = drawn.setdefault(shape, char)
        one_script = script(twin) == script(char)  # the A of Latin, Greek and Cyrillic is one shape
        assert twin == char or {twin, char} == {"I", "l"} or not one_script, f"{char} is drawn like {twin}"


@pytest.mark.parametrize("name", families())
def test_a_face_with_lower_case_has_one_of_its_own(name: str) -> None:
    charset = families()[name].charset
    pairs = [(glyph_mask(name, char, 40).pixels, glyph_mask_of(name, char.lower())) for char in UNMISTAKABLE]
    alike = sum(likeness(upper, lower) > 0.75 for upper, lower in pairs)
    assert alike <= 3 if set(LOWER) <= set(charset) else alike >= 5
    assert set(UPPER) <= set(charset)


def glyph_mask_of(name: str, char: str) -> NDArray[np.uint8]:
    """The mask of any character, declared or not."""
    font = load_font(name, 40)
    mask = font.getmask(char)
    pixels = np.asarray(list(mask), np.uint8).reshape(mask.size[1], mask.size[0])
    rows, columns = np.nonzero(pixels)
    return pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_masks_lie_where_the_pen_puts_them() -> None:
    capital, descender = glyph_mask("lato", "H", 100), glyph_mask("lato", "p", 100)
    assert capital.top_px == capital.pixels.shape[0]  # stands on the baseline
    assert descender.top_px < descender.pixels.shape[0]  # reaches below it
    assert 60 < capital.top_px < 80  # the cap height of Lato is 0.72 em
    assert capital.left_bearing_px + capital.pixels.shape[1] < capital.advance_px
    mono = {glyph_mask("courier-prime", char, 50).advance_px for char in ALNUM}
    assert len(mono) == 1


def test_masks_are_grey_cached_and_read_only() -> None:
    mask = glyph_mask("lora", "S", 48)
    assert mask is glyph_mask("lora", "S", 48)
    assert mask.pixels.dtype == np.uint8
    assert len(np.unique(mask.pixels)) > 20  # antialiased
    with pytest.raises(ValueError, match="read-only"):
        mask.pixels[0, 0] = 1


def test_weight_and_size_are_what_the_name_says() -> None:
    def ink(name: str, size_px: int) -> float:
        return float(glyph_mask(name, "H", size_px).pixels.sum()) / 255 / size_px**2

    assert ink("fira-sans-thin", 60) < ink("fira-sans", 60) < ink("lato-black", 60)
    heights = [glyph_mask("lato", "H", size_px).pixels.shape[0] for size_px in (20, 40, 80)]
    assert heights == sorted(heights)
    assert heights[2] == pytest.approx(4 * heights[0], abs=3)


@pytest.mark.parametrize(
    ("name", "char", "size_px", "message"),
    [
        ("lato-blak", "A", 40, "did you mean 'lato-black'"),
        ("nothing-like-it", "A", 40, r"expected a font face, .*open-sans, .*chewy"),
        ("lato", "é", 40, "0-9A-Za-z, received 'é'"),
        ("lato", "AB", 40, "received 'AB'"),
        ("lato", "", 40, "received ''"),
        ("bangers", "a", 40, "bangers draws 0-9A-Z, received 'a'"),
        ("bebas-neue", "0", 40, "123456789A-Z, received '0'"),
        ("lato", "A", 0, "1-512 px, received 0"),
        ("lato", "A", 513, "1-512 px, received 513"),
    ],
)
def test_what_cannot_be_drawn_is_said(name: str, char: str, size_px: int, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        glyph_mask(name, char, size_px)


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(DesignError, match=r"sans, serif, .*received 'gothic'"):
        faces_of_kind("gothic")


def test_the_face_of_pypi_captcha_is_there() -> None:
    face = find_face("droid-sans-mono")
    assert face.kind == "mono"
    assert face.license == "Apache-2.0"
    assert face.path.is_file()


def test_compact_writes_whole_runs_as_ranges() -> None:
    assert compact(DIGITS + UPPER + LOWER) == "0-9A-Za-z"
    assert compact("abc") == "abc"


def test_a_missing_data_folder_says_where_it_was_looked_for() -> None:
    with pytest.raises(SetupError, match=r"data folder 'nowhere' in .*data or .*datasets"):
        data_folder("nowhere")
    assert data_folder("fonts") == ROOT / "datasets" / "fonts"


def test_faces_of_scripts_serve_the_designs_that_need_them() -> None:
    scripts = {name for name, face in families().items() if face.scripts}
    assert len(scripts) >= 12
    assert not scripts & set(faces_for(ALNUM, wide=True)), "what Latin designs draw with stays as it is"
    assert scripts <= set(faces_for("Ж"))
    for name in ("cyrillic", "greek", "hebrew", "arabic-digits", "persian-digits", "devanagari-digits", "math"):
        assert faces_with_all(faces_for(NAMED[name]), NAMED[name]), f"no face draws {name}"


def test_a_base_with_marks_is_drawn_as_one_glyph() -> None:
    plain = glyph_mask("noto-sans-scripts", "x", 60)
    with pytest.raises(DesignError, match="received"):
        glyph_mask("noto-sans-scripts", "x\u0301", 60)  # a face that was cut down to what it declares
    assert plain.pixels.shape[0] > 10


def test_a_font_file_is_asked_what_it_draws() -> None:
    path = str(find_face("noto-sans-scripts").path)
    face = find_face(path)
    assert (face.kind, face.name) == ("file", path)
    assert face.lacks("abcЖ漢") == "漢"
    same, shipped = glyph_mask(path, "Ж", 40), glyph_mask("noto-sans-scripts", "Ж", 40)
    np.testing.assert_array_equal(same.pixels, shipped.pixels)


@pytest.mark.parametrize("name", ["no-such.ttf", "LICENSE.ttf"])
def test_a_font_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "LICENSE.ttf").write_text("not a font")
    with pytest.raises(DesignError, match="expected a font file"):
        find_face(str(tmp_path / name))
