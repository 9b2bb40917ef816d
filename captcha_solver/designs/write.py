"""Writes a Design as TOML text; reading that again gives the same design."""

from typing import Any

import msgspec
import tomlkit

from captcha_solver.charset import spelt
from captcha_solver.designs.design import Design, DistortionSpec, Fonts, Lettering, Palette, Range
from captcha_solver.designs.fonts import is_font_file
from captcha_solver.designs.knobs import knobs_of
from captcha_solver.errors import DesignError

Table = dict[str, Any]


def to_toml(design: Design) -> str:
    """The file of ``design``; ``DesignError`` for one that is a command, which has a file of its own."""
    if design.command is not None:
        raise DesignError(f"design {design.name!r} is a command: its file says how it is drawn")
    lettering, fonts = design.lettering, design.fonts
    document: Table = {
        "name": design.name,
        "summary": design.summary,
        "busy_fraction": _span(design.busy_fraction),
        **_style(design),
        "canvas": {"width_px": _span(design.canvas.width_px), "height_px": _span(design.canvas.height_px)},
        "text": {
            **_written(lettering),
            "size_fraction": _span(lettering.size_fraction),
            "fit_fraction": lettering.fit_fraction,
            "min_pitch_px": lettering.min_pitch_px,
        },
        "fonts": _fonts(fonts),
        "palette": [_palette(palette) for palette in design.palettes],
    }
    if design.distortions:
        document["distortion"] = [_distortion(spec) for spec in design.distortions]
    return tomlkit.dumps(document)


def _written(lettering: Lettering) -> Table:
    if lettering.sums is None:
        charsets = [spelt(charset) for charset in lettering.charsets]
        return {"charset": charsets, "length": [f"{low}-{high}" for low, high in lettering.lengths]}
    return {"kind": "expression", **msgspec.to_builtins(lettering.sums)}


def _fonts(fonts: Fonts) -> Table:
    """Faces by name, font files by their whole path."""
    faces = [name for name in fonts.faces if not is_font_file(name)]
    files = [name for name in fonts.faces if is_font_file(name)]
    named: Table = {"faces": faces, "files": files, "partial": list(fonts.partial)}
    return {key: names for key, names in named.items() if names} | {"mixed_probability": fonts.mixed_probability}


def _style(design: Design) -> Table:
    style = design.style
    if style is None:
        return {}
    entries: Table = {"images": list(style.images), "quiet_probability": style.quiet_probability}
    return {"style": entries | ({"aspect": _span(style.aspect)} if style.aspect else {})}


def _palette(palette: Palette) -> Table:
    return {name: _span(getattr(palette, name)) for name in Palette.__slots__}


def _distortion(spec: DistortionSpec) -> Table:
    varied = {**dict(spec.ranges), **{name: list(words) for name, words in spec.options}}
    knobs = {name: _span(varied.get(name, getattr(spec.base, name))) for name in knobs_of(type(spec.base))}
    return {"kind": spec.kind, "severity": _span(spec.severity), "probability": spec.probability, **knobs}


def _span(value: Any) -> Any:
    """A range as one number or [low, high]; anything else as it is."""
    if isinstance(value, Range):
        return value.low if value.low == value.high else [value.low, value.high]
    return value
