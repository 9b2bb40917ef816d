"""Font faces by name: what each can draw, and the grey coverage mask of one character at one size."""

import hashlib
import io
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
from captcha_solver.symbols import characters

ALNUM = NAMED["alnum"]
CACHED_MASKS = 98304  # about 2 KB each: all of every face at the sizes that glyphs are cached at, and some more
CACHED_FONTS = 2048
LARGEST_PX = 512
BLANK = " "  # between words: it moves the pen, and leaves no ink
NO_INK = np.zeros((1, 1), np.uint8)
FILE = "file"  # the kind of a face that a design brings along
FONT_FILES = frozenset((".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2"))
PROBE_PX = 24  # at which a font file is asked what it draws
MISSING = "\uffff"  # a code point that is no character: drawn as what a face does not have


@dataclass(frozen=True, slots=True)
class Family:
    """One face that designs may name.

    ``name`` is the face (``lato-black``), ``family`` the folder it shares a licence with (``lato``), ``kind``
    one of ``kinds()``, ``charset`` the characters it can draw (capitals alone, where its lower
    case only repeats them), ``sha256`` the hash of the file at ``path``. ``wide`` faces are for designs that ask for
    them: ``wide = true``, or by name. ``scripts`` faces draw more than 0-9A-Za-z, for the designs that need more.
    """

    name: str
    family: str
    kind: str
    path: Path
    license: str
    charset: str
    sha256: str
    wide: bool = False
    scripts: bool = False

    def lacks(self, text: str) -> str:
        """The characters of ``text`` that the face cannot draw, sorted."""
        return "".join(sorted(char for char in set(characters(text)) if not all(map(self._has, char))))

    def _has(self, char: str) -> bool:
        if char == BLANK:
            return True
        return _in_file(self.name, char) if self.kind == FILE else char in self.charset


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
                scripts=family.get("scripts", False),
            )
            for folder, family in index.items()
            for face, entry in family["faces"].items()
        }
    )


def kinds() -> tuple[str, ...]:
    """The kinds of faces there are: sans, serif, mono, slab, script, display, pixel."""
    return tuple(dict.fromkeys(face.kind for face in families().values()))


def common_families() -> Mapping[str, Family]:
    """Every face but those of ``wide`` and ``scripts``: what designs and trainings take that ask for no more."""
    return MappingProxyType({name: face for name, face in families().items() if not (face.wide or face.scripts)})


def faces_for(charset: str, *, wide: bool = False) -> tuple[str, ...]:
    """Names of the faces that a design of ``charset`` chooses from: with the ``wide`` ones, or without.

    Faces of ``scripts`` are among them for a charset that has more than 0-9A-Za-z.
    """
    more = bool(set(charset) - set(ALNUM))
    return tuple(f.name for f in families().values() if (wide or not f.wide) and (more or not f.scripts))


def faces_of_kind(kind: str, *, wide: bool = False, charset: str = ALNUM) -> tuple[str, ...]:
    """Those of ``faces_for`` that are of one kind; ``DesignError`` lists the valid kinds."""
    if kind not in kinds():
        raise DesignError(f"expected a kind of font ({', '.join(kinds())}), received {kind!r}")
    return tuple(name for name in faces_for(charset, wide=wide) if families()[name].kind == kind)


@cache
def faces_with_all(names: tuple[str, ...], charset: str) -> tuple[str, ...]:
    """Those of the faces ``names`` that draw every character of ``charset``."""
    return tuple(name for name in names if not find_face(name).lacks(charset))


def is_font_file(name: str) -> bool:
    """Whether ``name`` is that of a font file, not of a face that comes with the package."""
    return Path(name).suffix.lower() in FONT_FILES


@cache
def face_of_file(path: str) -> Family:
    """The face in a font file, the first of a collection; its name is its path.

    ``DesignError`` where there is none, or none that FreeType reads. Which characters it draws is asked of the file.
    """
    try:
        data = Path(path).read_bytes()
        ImageFont.truetype(io.BytesIO(data), PROBE_PX)
    except OSError as error:
        raise DesignError(f"expected a font file (TrueType, OpenType, WOFF), received {path}: {error}") from error
    return Family(path, path, FILE, Path(path), "", "", hashlib.sha256(data).hexdigest())


@lru_cache(maxsize=CACHED_MASKS)
def _in_file(path: str, char: str) -> bool:
    """Whether a font file draws ``char``, with ink, and otherwise than what it does not have."""
    font = load_font(path, PROBE_PX)
    mask, nothing = font.getmask(char), font.getmask(MISSING)
    return mask.getbbox() is not None and (mask.size, bytes(mask)) != (nothing.size, bytes(nothing))


def find_face(name: str) -> Family:
    """The face called ``name``, or of the font file at the path ``name``; ``DesignError`` lists the valid names."""
    if is_font_file(name):
        return face_of_file(name)
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
    if len(characters(char)) != 1 or face.lacks(char):
        raise DesignError(f"{family} draws {compact(face.charset) or 'other characters'}, received {char!r}")
    font = load_font(family, size_px, len(char) > 1)
    if char == BLANK:
        return GlyphMask(NO_INK, 0, 1, float(font.getlength(char)))
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
def load_font(family: str, size_px: int, marks: bool = False) -> ImageFont.FreeTypeFont:
    """The face at ``size_px`` pixels an em, laid out glyph by glyph (no ligatures, no kerning).

    ``marks``: laid out by the rules of its script, for a base with marks that stand on it.
    """
    if not 1 <= size_px <= LARGEST_PX:
        raise DesignError(f"expected a font size of 1-{LARGEST_PX} px, received {size_px}")
    engine = ImageFont.Layout.RAQM if marks else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(find_face(family).path), size_px, layout_engine=engine)


def compact(charset: str) -> str:
    """``charset`` for people: whole runs as ranges (``0-9A-Z``)."""
    text = charset
    for name in ("digits", "upper", "lower"):
        run = NAMED[name]
        text = re.sub(re.escape(run), f"{run[0]}-{run[-1]}", text)
    return text
