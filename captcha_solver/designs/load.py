"""A design's TOML text to a checked ``Design``; every complaint names the file, the line and the key.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

import tomllib
from pathlib import Path

from captcha_solver.charset import parse_charset, shown
from captcha_solver.designs.design import Canvas, Design, DistortionSpec, Fonts, Lettering, Palette, Range, Style
from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.external import ExternalCommand
from captcha_solver.designs.fonts import (
    FONT_FILES,
    faces_for,
    faces_of_kind,
    families,
    find_face,
    is_font_file,
    kinds,
)
from captcha_solver.designs.knobs import MAX_SEVERITY, NOMINAL_SEVERITY, check_value, knobs_of
from captcha_solver.designs.places import data_folder
from captcha_solver.designs.section import Section
from captcha_solver.designs.sums import KEYS, LONGEST_SUM, sums_of, symbols_of
from captcha_solver.errors import CaptchaSolverError, DesignError

LARGEST_SIDE_PX = 1000
LONGEST_TEXT = 20
MOST_STYLE_IMAGES = 64


def builtin_designs() -> dict[str, Path]:
    """Name -> file of the designs that come with the package."""
    return {path.stem: path for path in sorted(data_folder("designs").glob("*.toml"))}


def load_design(name_or_path: str | Path) -> Design:
    """A built-in design by name, or any design by the path of its TOML file."""
    known = builtin_designs()
    path = known.get(str(name_or_path)) or Path(name_or_path)
    if not path.is_file():
        raise DesignError(f"no design {str(name_or_path)!r}: expected a .toml file or one of {', '.join(known)}")
    try:
        return parse_design(path.read_text(encoding="utf-8-sig"), str(name_or_path), path.resolve().parent)
    except UnicodeDecodeError as error:
        raise DesignError(f"{name_or_path}: expected UTF-8 text, received something else ({error.reason})") from None


def parse_design(text: str, source: str, folder: Path | None = None) -> Design:
    """A ``Design`` from TOML ``text``; ``source`` names it in complaints.

    ``folder``: where it lies, with the font files that it names. A design that came without one has none.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        lines = text.rstrip("\n").count("\n") + 1
        where = str(error).replace("at end of document", f"at line {lines}, the end of the document")
        raise DesignError(f"{source}: not valid TOML: {where}") from None
    root = Section(data, text, source, "")
    root.allow(
        "name", "summary", "busy_fraction", "style", "canvas", "text", "fonts", "palette", "distortion", "command"
    )
    name, summary = root.string("name", Path(source).stem), root.string("summary", "")
    command = _command(root.section("command")) if "command" in data else None
    if command is not None:
        root.allow("name", "summary", "command")
    lettering = _lettering(root.section("text"))
    return Design(
        name=name,
        summary=summary,
        canvas=_canvas(root.section("canvas")),
        lettering=lettering,
        fonts=_fonts(root.section("fonts"), lettering, folder),
        palettes=tuple(_palette(s) for s in root.sections("palette")) or (_palette(root.section("palette")),),
        distortions=tuple(_distortion(s) for s in root.sections("distortion")),
        command=command,
        busy_fraction=root.range("busy_fraction", Range(1, 1), 0, 1),
        style=_style(root.section("style")) if "style" in data else None,
    )


def _style(section: Section) -> Style:
    section.allow("images", "quiet_probability", "aspect")
    span = section.range("images", Range(3, 8), 1, MOST_STYLE_IMAGES)
    aspect = section.range("aspect", Range(1, 1), 0.1, 20) if "aspect" in section.data else None
    return Style((int(span.low), int(span.high)), section.number("quiet_probability", 0, 0, 1), aspect)


def _canvas(section: Section) -> Canvas:
    section.allow("width_px", "height_px")
    return Canvas(
        width_px=section.range("width_px", Range(160, 160), 16, LARGEST_SIDE_PX),
        height_px=section.range("height_px", Range(60, 60), 12, LARGEST_SIDE_PX),
    )


def _lettering(section: Section) -> Lettering:
    kind = section.string("kind", "random")
    if kind not in ("random", "expression"):
        raise section.fail("kind", f"expected random or expression, received {kind!r}")
    sums = sums_of(section) if kind == "expression" else None
    own = KEYS if sums else ("kind", "charset", "length")
    section.allow(*own, "size_fraction", "fit_fraction", "min_pitch_px")
    charsets = [symbols_of(sums)] if sums else _charsets(section)
    return Lettering(
        charsets=tuple(charsets),
        lengths=((1, LONGEST_SUM),) if sums else _lengths(section),
        size_fraction=section.range("size_fraction", Range(0.6, 0.75), 0.03, 2),
        fit_fraction=section.number("fit_fraction", 0.94, 0.2, 1.3),
        min_pitch_px=section.number("min_pitch_px", 0, 0, 100),
        sums=sums,
    )


def _charsets(section: Section) -> list[str]:
    charsets = []
    for spec in section.strings("charset", ("lower+digits",)):
        try:
            charsets.append(parse_charset(spec).symbols)
        except CaptchaSolverError as error:
            raise section.fail("charset", str(error)) from None
    return charsets


def _lengths(section: Section) -> tuple[tuple[int, int], ...]:
    value = section.data.get("length", "4-6")
    if isinstance(value, list) and value:
        return tuple(_length(section, each) for each in value)
    return (_length(section, value),)


def _length(section: Section, value: object) -> tuple[int, int]:
    low, _, high = str(value).partition("-")
    if isinstance(value, bool) or not low.isdecimal() or (high and not high.isdecimal()) or str(value).endswith("-"):
        raise section.fail("length", f'expected a number or "low-high" such as "4-6", received {value!r}')
    first, last = int(low), int(high or low)
    if not 1 <= first <= last <= LONGEST_TEXT:
        raise section.fail("length", f"expected 1 <= low <= high <= {LONGEST_TEXT}, received {value!r}")
    return first, last


def _fonts(section: Section, lettering: Lettering, folder: Path | None) -> Fonts:
    section.allow("faces", "files", "kinds", "exclude", "wide", "partial", "mixed_probability")
    known = families()
    wide = section.flag("wide", False)
    named = {key: list(section.strings(key)) for key in ("faces", "partial", "exclude")}
    for key, names in named.items():
        for face in names:
            if face not in known:
                raise section.fail(key, f"no face {face!r}; expected some of {', '.join(known)}")
    faces, partial, excluded = named.values()
    files = _font_files(section, folder)
    needed = "".join(lettering.charsets)
    for kind in section.strings("kinds"):
        if kind not in kinds():
            raise section.fail("kinds", f"no kind of font {kind!r}; expected some of {', '.join(sorted(kinds()))}")
        faces += [name for name in faces_of_kind(kind, wide=wide, charset=needed) if name not in faces]
    if not section.data.get("faces") and not (files and not faces):  # only those that have every character
        asked = faces or list(faces_for(needed, wide=wide))
        faces = [name for name in asked if not known[name].lacks(needed)]
        partial += [name for name in asked if wide and name not in faces and name not in partial]
    chosen = (*(name for name in faces if name not in excluded), *files)
    for name in chosen:
        missing = find_face(name).lacks(needed)
        if missing:
            key = "files" if name in files else "faces"
            raise section.fail(key, f"face {name!r} lacks {shown(missing)!r}, which the charset asks for")
    if not chosen:
        best = min((known[name] for name in faces_for(needed, wide=wide)), key=lambda face: len(face.lacks(needed)))
        raise section.fail(
            "faces",
            f"expected at least one face that has every character, received none: {best.name!r}, which has most of "
            f"them, lacks {shown(best.lacks(needed))!r} (files = [...] names a font file beside the design)",
        )
    mixed = section.number("mixed_probability", 0, 0, 1)
    return Fonts(chosen, mixed, tuple(name for name in partial if name not in excluded))


def _font_files(section: Section, folder: Path | None) -> list[str]:
    """Paths of the font files that a design brings along, each checked."""
    names = section.strings("files")
    if names and folder is None:
        raise section.fail("files", "expected no font files: the design came without the folder in which they lie")
    paths = [str((folder or Path()) / name) for name in names]
    for name, path in zip(names, paths, strict=True):
        if not is_font_file(path):
            kinds_of_file = ", ".join(sorted(FONT_FILES))
            raise section.fail("files", f"expected the name of a font file ({kinds_of_file}), received {name!r}")
        try:
            find_face(path)
        except DesignError as error:
            raise section.fail("files", str(error)) from None
    return paths


def _palette(section: Section) -> Palette:
    section.allow("weight", "background_levels", "ink_levels", "grey_probability", "min_contrast_levels")
    palette = Palette(
        weight=section.number("weight", 1, 0.001, 1000),
        background_levels=section.range("background_levels", Range(235, 255), 0, 255),
        ink_levels=section.range("ink_levels", Range(10, 150), 0, 255),
        grey_probability=section.number("grey_probability", 0, 0, 1),
        min_contrast_levels=section.number("min_contrast_levels", 40, 0, 250),
    )
    spans = (palette.background_levels, palette.ink_levels)
    widest = max(spans[0].high - spans[1].low, spans[1].high - spans[0].low)
    if widest < palette.min_contrast_levels:
        raise section.fail(
            "min_contrast_levels",
            f"expected at most {widest:g}, the widest gap between background_levels and ink_levels, "
            f"received {palette.min_contrast_levels:g}",
        )
    return palette


def _distortion(section: Section) -> DistortionSpec:
    name = section.string("kind", "")
    if name not in KINDS:
        raise section.fail("kind", f"no distortion {name!r}; expected one of {', '.join(KINDS)}")
    kind = KINDS[name]
    knobs = knobs_of(kind)
    section.allow("kind", "severity", "probability", *knobs)
    plain: dict[str, float | str] = {}
    ranges, options = [], []
    for key, knob in knobs.items():
        if key not in section.data:
            continue
        value = section.data[key]
        try:
            if knob.choices:
                words = section.strings(key)
                for word in words:
                    check_value(key, knob, word)
                plain[key] = words[0]
                if len(words) > 1:
                    options.append((key, words))
                continue
            span = section.range(key, Range(0, 0), knob.low, knob.high)
        except DesignError as error:
            if str(error).startswith(section.source):
                raise
            raise section.fail(key, str(error).removeprefix(f"{key}: ")) from None
        plain[key] = span.low if isinstance(value, list) else float(value)
        if span.low != span.high:
            ranges.append((key, span))
    return DistortionSpec(
        kind=name,
        base=kind(**plain),
        severity=section.range("severity", Range(NOMINAL_SEVERITY, NOMINAL_SEVERITY), 0, MAX_SEVERITY),
        probability=section.number("probability", 1, 0, 1),
        ranges=tuple(ranges),
        options=tuple(options),
    )


def _command(section: Section) -> ExternalCommand:
    section.allow("argv", "hint")
    argv = section.strings("argv")
    if not argv:
        raise section.fail("argv", "expected a list: the program and its arguments, received none")
    return ExternalCommand(argv, section.string("hint", ""))
