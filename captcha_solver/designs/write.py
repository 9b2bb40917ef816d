"""A Design in, its TOML text out: reading it again gives the same design."""

import json
from collections.abc import Mapping
from typing import Any

from captcha_solver.designs.design import Design, DistortionSpec, Palette, Range
from captcha_solver.designs.knobs import knobs_of
from captcha_solver.errors import DesignError


def to_toml(design: Design) -> str:
    """The file of ``design``; ``DesignError`` for one that is a command, which has a file of its own."""
    if design.command is not None:
        raise DesignError(f"design {design.name!r} is a command: its file says how it is drawn")
    lettering, fonts = design.lettering, design.fonts
    top = {"name": design.name, "summary": design.summary, "busy_fraction": design.busy_fraction}
    canvas = {"width_px": design.canvas.width_px, "height_px": design.canvas.height_px}
    text = {
        "charset": list(lettering.charsets),
        "length": [f"{low}-{high}" for low, high in lettering.lengths],
        "size_fraction": lettering.size_fraction,
        "fit_fraction": lettering.fit_fraction,
        "min_pitch_px": lettering.min_pitch_px,
    }
    faces = {"faces": list(fonts.faces), "mixed_probability": fonts.mixed_probability}
    if fonts.partial:
        faces["partial"] = list(fonts.partial)
    parts = [
        _table("", top),
        *_style(design),
        _table("[canvas]", canvas),
        _table("[text]", text),
        _table("[fonts]", faces),
    ]
    parts += [_table("[[palette]]", _palette(palette)) for palette in design.palettes]
    parts += [_table("[[distortion]]", _distortion(spec)) for spec in design.distortions]
    return "\n".join(parts)


def _style(design: Design) -> list[str]:
    style = design.style
    if style is None:
        return []
    entries: dict[str, Any] = {"images": list(style.images), "quiet_probability": style.quiet_probability}
    return [_table("[style]", entries | ({"aspect": style.aspect} if style.aspect else {}))]


def _palette(palette: Palette) -> Mapping[str, Any]:
    return {name: getattr(palette, name) for name in Palette.__slots__}


def _distortion(spec: DistortionSpec) -> Mapping[str, Any]:
    varied = {**dict(spec.ranges), **{name: list(words) for name, words in spec.options}}
    knobs = {name: varied.get(name, getattr(spec.base, name)) for name in knobs_of(type(spec.base))}
    return {"kind": spec.kind, "severity": spec.severity, "probability": spec.probability, **knobs}


def _table(head: str, entries: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in entries.items()]
    return "\n".join([*([head] if head else []), *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, Range):
        return repr(value.low) if value.low == value.high else f"[{value.low!r}, {value.high!r}]"
    return json.dumps(value, ensure_ascii=False)
