"""The parameters of a distortion: declared once as dataclass fields, checked and scaled by severity here.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

import dataclasses
import enum
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.page import Page
from captcha_solver.designs.drawing.scene import FloatArray, Scene
from captcha_solver.errors import DesignError

NOMINAL_SEVERITY = 3.0
MAX_SEVERITY = 5.0


class Phase(enum.IntEnum):
    """When a distortion acts; within a phase, in the order in which the design lists them."""

    LAYOUT = 0  # where glyphs stand and how each is shaped, before anything is drawn
    BACKGROUND = 1  # the canvas under the text
    TEXT = 2  # the text layer alone, before it is laid on the canvas
    MARKS = 3  # drawn over text and background
    IMAGE = 4  # the whole picture


class Distortion:
    """Base of all distortions: a frozen dataclass of knobs. One phase, one ``apply``."""

    __slots__ = ()

    @property
    def phase(self) -> Phase:
        """When it acts."""
        raise NotImplementedError


class SceneDistortion(Distortion):
    """Acts on one picture, after its layout."""

    __slots__ = ()

    def apply(self, scene: Scene) -> None:
        """Change ``scene`` in place."""
        raise NotImplementedError


class PageDistortion(Distortion):
    """Acts on the layout of many pictures at once; its knobs may be arrays (N, 1), one entry a picture."""

    __slots__ = ()

    @property
    def phase(self) -> Phase:
        return Phase.LAYOUT

    def apply(self, page: Page, on: NDArray[np.bool_]) -> None:
        """Change the pictures of ``page`` whose ``on`` (N, 1) is true."""
        raise NotImplementedError


AnyDistortion = TypeVar("AnyDistortion", bound=Distortion)


@dataclasses.dataclass(frozen=True, slots=True)
class Knob:
    """Limits of one parameter. ``scales`` marks a strength: written for severity 3, proportional to it."""

    low: float
    high: float
    scales: bool
    choices: tuple[str, ...] = ()

    KEY: ClassVar[str] = "knob"


def strength(nominal: float, low: float, high: float) -> Any:
    """A field that grows with severity: ``nominal`` at severity 3, nothing at 0, 5/3 of it at 5."""
    return dataclasses.field(default=nominal, metadata={Knob.KEY: Knob(low, high, scales=True)})


def setting(default: float, low: float, high: float) -> Any:
    """A numeric field that severity leaves alone."""
    return dataclasses.field(default=default, metadata={Knob.KEY: Knob(low, high, scales=False)})


def choice(default: str, *others: str) -> Any:
    """A field that holds one of a few words."""
    knob = Knob(0, 0, scales=False, choices=(default, *others))
    return dataclasses.field(default=default, metadata={Knob.KEY: knob})


def knobs_of(kind: type[Distortion]) -> Mapping[str, Knob]:
    """Parameter name -> limits, in the order of declaration."""
    return _knobs(cast(Any, kind))


@cache
def _knobs(kind: Any) -> Mapping[str, Knob]:
    fields = dataclasses.fields(kind)
    return {f.name: f.metadata[Knob.KEY] for f in fields if Knob.KEY in f.metadata}


def check_value(name: str, knob: Knob, value: object) -> float | str:
    """``value`` if the knob allows it; ``DesignError`` with what was expected and received otherwise."""
    if knob.choices:
        if value not in knob.choices:
            raise DesignError(f"{name}: expected one of {', '.join(knob.choices)}, received {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DesignError(f"{name}: expected a number ({unit_of(name)}), received {value!r}")
    if not knob.low <= value <= knob.high:
        limits = f"{knob.low:g} to {knob.high:g}"
        raise DesignError(f"{name}: expected {limits} ({unit_of(name)}), received {value!r}")
    return float(value)


UNITS = {
    "px": "pixels",
    "deg": "degrees",
    "fraction": "a share, 0-1",
    "levels": "grey levels of 255",
    "count": "how many",
    "quality": "JPEG quality, 1-100",
    "colours": "how many colours",
    "probability": "0-1",
}


def unit_of(name: str) -> str:
    """The unit that a parameter's name carries, in words."""
    return UNITS.get(name.rsplit("_", 1)[-1], "a number")


def at_severity(distortion: AnyDistortion, severity: float | FloatArray) -> AnyDistortion:
    """The distortion with its strengths scaled by ``severity`` / 3 and held within their limits.

    A severity (N, 1) gives knobs (N, 1).
    """
    if isinstance(severity, float) and severity == NOMINAL_SEVERITY:
        return distortion
    factor = severity / NOMINAL_SEVERITY
    changed = {
        name: _held(getattr(distortion, name) * factor, knob)
        for name, knob in knobs_of(type(distortion)).items()
        if knob.scales
    }
    scaled: AnyDistortion = dataclasses.replace(cast(Any, distortion), **changed)
    return scaled


def _held(value: float | FloatArray, knob: Knob) -> float | FloatArray:
    if isinstance(value, np.ndarray):
        return np.clip(value, knob.low, knob.high).astype(np.float32)
    return min(max(value, knob.low), knob.high)
