"""Font faces by name: what each can draw, and the grey coverage mask of one character at one size."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from captcha_solver.charset import NAMED
from captcha_solver.designs.places import data_folder
from captcha_solver.errors import DesignError

ALNUM = NAMED["alnum"]
CACHED_MASKS = 98304  # about 2 KB each: all of every face at the sizes that glyphs are cached at, and some more
CACHED_FONTS = 2048
LARGEST_PX = 512


@dataclass(frozen=True, slots=True)
class Family:
    """One face that designs may name.

    ``name`` is the face (``lato-black``), ``family`` the folder it shares a licence with (``lato``), ``kind``
    one of ``kinds()``, ``charset`` the characters of 0-9A-Za-z it can draw (capitals alone, where its lower
    case only repeats them), ``sha256`` the hash of the file at ``path``. ``wide`` faces are for designs that ask for
    them: ``wide = true``, or by name.
    """

    name: str
    family: str
    kind: str
    path: Path
    license: str
    charset: str
    sha256: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class GlyphMask:
    """One character, drawn: ``pixels`` (h, w) uint8, 0-255 coverage, cut to its ink; read-only.

    Its left column lies ``left_bearing_px`` right of the pen, its top row ``top_px`` above the baseline
    (positive up); the pen then moves on by ``advance_px``.
    """

    pixels: NDArray[np.uint8]
    left_bearing_px: int
    top_px: int
    advance_px: float


@cache
def families() -> Mapping[str, Family]:
    """Every face, by its name (``lato``, ``lato-black``), in the order of ``fonts.toml``."""
    root = data_folder("fonts")
    index: dict[str, Any] = tomllib.loads((root / "fonts.toml").read_text(encoding="utf-8"))["families"]
    return MappingProxyType(
        {
            face: Family(
                name=face,
                family=folder,
                kind=family["kind"],
                path=root / folder / entry["file"],
                license=family["license"],
                charset=entry.get("charset", ALNUM),
                sha256=entry["sha256"],
                wide=family.get("wide", False),
            )
            for folder, family in index.items()
            for face, entry in family["faces"].items()
        }
    )


def kinds() -> tuple[str, ...]:
    """The kinds of faces there are: sans, serif, mono, slab, script, display, pixel."""
    return tuple(dict.fromkeys(face.kind for face in families().values()))


def common_families() -> Mapping[str, Family]:
    """Every face but the ``wide`` ones, by its name: what designs and trainings take that ask for no more."""
    return MappingProxyType({name: face for name, face in families().items() if not face.wide})


def faces_of_kind(kind: str, *, wide: bool = False) -> tuple[str, ...]:
    """Names of the faces of one kind, with the ``wide`` ones or without; ``DesignError`` lists the valid kinds."""
    if kind not in kinds():
        raise DesignError(f"expected a kind of font ({', '.join(kinds())}), received {kind!r}")
    known = families() if wide else common_families()
    return tuple(face.name for face in known.values() if face.kind == kind)


@cache
def faces_with_all(names: tuple[str, ...], charset: str) -> tuple[str, ...]:
    """Those of the faces ``names`` that draw every character of ``charset``."""
    return tuple(name for name in names if set(charset) <= set(find_face(name).charset))


def find_face(name: str) -> Family:
    """The face called ``name``; ``DesignError`` lists the valid names."""
    try:
        return families()[name]
    except KeyError:
        close = get_close_matches(name, families(), n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise DesignError(f"expected a font face, received {name!r}{hint} (faces: {', '.join(families())})") from None


@lru_cache(maxsize=CACHED_MASKS)
def glyph_mask(family: str, char: str, size_px: int, crisp: bool = False) -> GlyphMask:
    """The coverage of ``char`` in the face called ``family`` at ``size_px`` pixels an em; cached.

    ``crisp``: hinted for black and white, without grey edges.

    >>> mask = glyph_mask("lato", "A", 40)
    >>> mask.pixels.dtype, mask.pixels.shape[0] == mask.top_px
    (dtype('uint8'), True)
    """
    face = find_face(family)
    if char not in face.charset or len(char) != 1:
        raise DesignError(f"{family} draws {compact(face.charset)}, received {char!r}")
    font = load_font(family, size_px)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(char, anchor="ls"))
    canvas = Image.new("L", (right - left + 2, bottom - top + 2))
    pen = ImageDraw.Draw(canvas)
    pen.fontmode = "1" if crisp else "L"
    pen.text((1 - left, 1 - top), char, fill=255, font=font, anchor="ls")
    rows, columns = np.nonzero(np.asarray(canvas))
    if crisp and not len(rows):  # a stroke too thin for any pixel
        return glyph_mask(family, char, size_px)
    pixels = np.asarray(canvas)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].copy()
    pixels.flags.writeable = False
    return GlyphMask(
        pixels=pixels,
        left_bearing_px=left - 1 + int(columns.min()),
        top_px=1 - top - int(rows.min()),
        advance_px=float(font.getlength(char)),
    )


@lru_cache(maxsize=CACHED_FONTS)
def load_font(family: str, size_px: int) -> ImageFont.FreeTypeFont:
    """The face at ``size_px`` pixels an em, laid out glyph by glyph (no ligatures, no kerning)."""
    if not 1 <= size_px <= LARGEST_PX:
        raise DesignError(f"expected a font size of 1-{LARGEST_PX} px, received {size_px}")
    return ImageFont.truetype(str(find_face(family).path), size_px, layout_engine=ImageFont.Layout.BASIC)


def compact(charset: str) -> str:
    """``charset`` for people: whole runs as ranges (``0-9A-Z``)."""
    text = charset
    for name in ("digits", "upper", "lower"):
        run = NAMED[name]
        text = re.sub(re.escape(run), f"{run[0]}-{run[-1]}", text)
    return text
