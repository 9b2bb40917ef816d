"""A schedule of changes to a design, and what they do to an attacker who was trained before them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

from captcha_solver.audit.cells import BASE, Cell, Result
from captcha_solver.audit.figures import Count, Interval, Labels, Share, said
from captcha_solver.audit.findings import findings
from captcha_solver.audit.findings.curves import Needed, fewest
from captcha_solver.audit.plan import ADAPTED_LABELS, TRAINED
from captcha_solver.audit.subjects.variants import Variant
from captcha_solver.designs.design import Design, DistortionSpec, Palette, Range
from captcha_solver.designs.fonts import faces_for, find_face
from captcha_solver.designs.knobs import MAX_SEVERITY

HARDER = 1.6
STEPS = 3
MATRIX_LABELS = ADAPTED_LABELS
RECOVERY = (20, MATRIX_LABELS)  # labels of the changed design
KEPT_UNDER = 0.01  # the rate that a design is to keep attackers under by changing


@dataclass(frozen=True, slots=True)
class Recovered:
    """The attacker's rate before a change, right after it, and with so many labels of the changed design."""

    change: Annotated[str, said("The step.")]
    before: Annotated[Share, said("The rate on the step before, which the attacker was trained on.")]
    after: Annotated[Share, said("The rate right after the change.")]
    with_labels: Annotated[tuple[tuple[Count, Share], ...], said("[labels of the changed design, rate with them].")]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """What a schedule of changes does to an attacker."""

    labels: Annotated[Labels, said("Labels that the attacker of the matrix had of the step that they were trained on.")]
    steps: Annotated[tuple[str, ...], said("The design as it is, then each change on top of those before.")]
    matrix: Annotated[
        tuple[tuple[Share | None, ...], ...],
        said("Rate by step trained on (row) and tested on (column); null where it was left out."),
    ]
    ci95: Annotated[tuple[tuple[Interval | None, ...], ...], said("95 % Wilson intervals of the matrix.")]
    n: Annotated[tuple[tuple[Count | None, ...], ...], said("Images that each rate of the matrix rests on.")]
    recovered: Annotated[
        tuple[Recovered, ...], said("How the attacker fares at each change; only where all of it was measured.")
    ]
    must_change: Annotated[str, said("How often the design must change to keep an attacker under 1 %, in words.")]


def schedule(design: Design) -> list[Variant]:
    """What an owner could change without drawing a new design: other faces, other colours, harder; one on another."""
    faces = Variant("other faces", replace(design, fonts=replace(design.fonts, faces=other_faces(design))))
    coloured = tuple(map(_turned, faces.design.palettes))
    colours = Variant("other faces and colours", replace(faces.design, palettes=coloured))
    harder = replace(colours.design, distortions=tuple(map(_harder, colours.design.distortions)))
    return [faces, colours, Variant("other faces, colours, and harder", harder)][:STEPS]


def other_faces(design: Design) -> tuple[str, ...]:
    """As many faces as the design has, none of them its own, each with every character, in the order of their names."""
    needed, own = "".join(design.lettering.charsets), design.fonts.faces
    fit = [name for name in faces_for(needed) if name not in own and not find_face(name).lacks(needed)]
    return tuple(sorted(fit)[: max(len(own), 1)]) or own


def _turned(palette: Palette) -> Palette:
    """Light on dark for dark on light, and the other way round."""
    return replace(
        palette, background_levels=_mirrored(palette.background_levels), ink_levels=_mirrored(palette.ink_levels)
    )


def _mirrored(levels: Range) -> Range:
    return Range(255 - levels.high, 255 - levels.low)


def _harder(spec: DistortionSpec) -> DistortionSpec:
    severity = Range(*(min(HARDER * end, MAX_SEVERITY) for end in (spec.severity.low, spec.severity.high)))
    return replace(spec, severity=severity)


def drift_cells(variants: Sequence[Variant], attack: str) -> list[Cell]:
    """Trained on each step and tested on each, and a few labels of each changed one."""
    steps = [BASE, *(variant.condition for variant in variants)]
    matrix = [Cell(attack, MATRIX_LABELS, tested, trained) for trained in steps for tested in steps]
    recovery = [Cell(attack, labels, step, step) for step in steps[1:] for labels in RECOVERY]
    return list(dict.fromkeys([*matrix, *recovery]))


def drift_row(results: Sequence[Result], changed: Sequence[str], *, fold_case: bool) -> DriftRow:
    """The attacker trained on each step of a schedule and tested on each. ``changed``: the steps' conditions."""
    names = (BASE, *changed)
    rates = {
        (r.cell.trained_on, r.cell.condition): findings.rate_of(r, fold_case=fold_case)
        for r in results
        if r.cell.attack == TRAINED and r.cell.labels == MATRIX_LABELS
    }
    matrix = [[rates.get((trained, tested)) for tested in names] for trained in names]
    curves = findings.curves(results, fold_case=fold_case)
    return DriftRow(
        labels=MATRIX_LABELS,
        steps=names,
        matrix=tuple(tuple(rate.value if rate else None for rate in row) for row in matrix),
        ci95=tuple(tuple(rate.ci95 if rate else None for rate in row) for row in matrix),
        n=tuple(tuple(rate.n if rate else None for rate in row) for row in matrix),
        recovered=tuple(recovered(results, changed, TRAINED, fold_case=fold_case)),
        must_change=must_change(fewest(curves, KEPT_UNDER)),
    )


def recovered(results: Sequence[Result], changed: Sequence[str], attack: str, *, fold_case: bool) -> list[Recovered]:
    """How the attacker fares at each change; only where all of it was measured."""
    rates = {
        (r.cell.labels, r.cell.trained_on, r.cell.condition): sum(o.solved(fold_case=fold_case) for o in r.trials)
        / max(len(r.trials), 1)
        for r in results
        if r.cell.attack == attack
    }
    steps = [BASE, *changed]
    found = []
    for old, new in pairwise(steps):
        before, after = rates.get((MATRIX_LABELS, old, old)), rates.get((MATRIX_LABELS, old, new))
        again = [(labels, rates.get((labels, new, new))) for labels in RECOVERY]
        if before is not None and after is not None and all(rate is not None for _, rate in again):
            found.append(Recovered(new, before, after, tuple((labels, rate or 0.0) for labels, rate in again)))
    return found


def must_change(needed: Needed | None) -> str:
    """How often a design must change to keep an attacker below a rate, from the labels that they need for it."""
    if needed is None:
        return "not measured"
    if needed.bound != ">" and needed.labels == 0:
        return "no change is often enough: the attacker needs no label"
    if needed.bound == ">":
        return f"at the latest when {needed.labels:,} of its images may have been labelled: more was not tried"
    return f"before {needed.labels:,} of its images may have been labelled"
