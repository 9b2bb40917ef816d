"""The variants of a design: each distortion removed, and raised from 0 to 5, one at a time; then pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from captcha_solver.audit.cells import BASE
from captcha_solver.designs.design import Design, DistortionSpec, Range

SEVERITIES = (0, 1, 2, 3, 4, 5)
STRONGEST = 5


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed design: its condition's name, which distortions (by place) were set to which severity."""

    condition: str
    design: Design
    changed: tuple[tuple[int, float], ...] = ()

    @property
    def removes(self) -> int | None:
        """The place of the one distortion that this takes away, if that is all it does."""
        return self.changed[0][0] if len(self.changed) == 1 and self.changed[0][1] == 0 else None


def names_of(design: Design) -> list[str]:
    """A name for each distortion: its kind, numbered where the design has it twice."""
    kinds = [spec.kind for spec in design.distortions]
    return [kind if kinds.count(kind) == 1 else f"{kind} {kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def base(design: Design) -> Variant:
    return Variant(BASE, design)


def at(design: Design, changes: Iterable[tuple[int, float]]) -> Variant:
    """The design with some distortions at other severities; 0 takes one away."""
    changes = tuple(changes)
    names, wanted = names_of(design), dict(changes)
    specs = [_at(spec, wanted[place]) if place in wanted else spec for place, spec in enumerate(design.distortions)]
    told = ", ".join(
        f"{names[place]} at {severity:g}" if severity else f"no {names[place]}" for place, severity in changes
    )
    return Variant(told, replace(design, distortions=tuple(specs)), changes)


def removals(design: Design) -> list[Variant]:
    """One variant a distortion, without it."""
    return [at(design, [(place, 0)]) for place in range(len(design.distortions))]


def sweep(design: Design, place: int) -> list[Variant]:
    """One distortion from 0 to 5, the others as they are."""
    return [at(design, [(place, severity)]) for severity in SEVERITIES]


def pairs(design: Design, places: Sequence[int]) -> list[Variant]:
    """Every two of ``places`` taken away together: whether they hold each other up."""
    return [at(design, [(a, 0), (b, 0)]) for i, a in enumerate(places) for b in places[i + 1 :]]


def _at(spec: DistortionSpec, severity: float) -> DistortionSpec:
    """A distortion at one severity, in every image where that is above 0."""
    if severity <= 0:
        return replace(spec, severity=Range(0, 0), probability=0.0)
    return replace(spec, severity=Range(severity, severity), probability=1.0)
