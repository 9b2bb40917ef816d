"""The cells of an audit, in the order in which they tell most for their time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from captcha_solver.audit.attackers.attacks import MODELS, STOCK
from captcha_solver.audit.attackers.perturb import PERTURBATIONS, WASHES, Perturbed
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result
from captcha_solver.audit.findings.findings import paired
from captcha_solver.audit.subjects.subject import Subject
from captcha_solver.audit.subjects.variants import Variant, pairs, removals, sweep
from captcha_solver.audit_settings import FEWEST_LABELS, AuditSettings
from captcha_solver.designs.design import Design
from captcha_solver.statistics import paired_change

TRAINED = "sliding"  # the attacker that is trained anew on each variant: the stronger of the two
ADAPTED_LABELS = 50  # of a changed design
STRONGEST_PAIRS = 3  # of so many distortions, every two


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of an audit: what it is for, and its cells."""

    name: str
    cells: tuple[Cell, ...]


def first_stages(subject: Subject, settings: AuditSettings, pool: int) -> list[Stage]:
    """The stages that depend on nothing measured: without labels, the label curve, a generator."""
    stages = label_stages(settings, pool)
    if subject.available is None:
        stages.append(Stage("with a generator", tuple(Cell(attack.name, UNLIMITED) for attack in reversed(MODELS))))
    return stages


def label_stages(settings: AuditSettings, pool: int) -> list[Stage]:
    """Every attack without labels, then those that can learn with each budget: the stronger attack first."""
    stock = [attack for attack in STOCK if attack.missing() is None]
    zero = [Cell(attack.name) for attack in (*stock, *MODELS)]
    budgets = most_telling(budgets_for(settings.budgets, pool))
    curve = [Cell(attack.name, labels) for attack in reversed(MODELS) for labels in budgets]
    return [Stage("without labels", tuple(zero)), Stage("label curve", tuple(curve))]


def budgets_for(asked: Collection[int], pool: int) -> list[int]:
    """The budgets above 0 that a pool of labels allows, rising; all of the pool where more was asked for."""
    fit = {labels for labels in asked if 0 < labels <= pool}
    if any(labels > pool for labels in asked) and pool >= FEWEST_LABELS:
        fit.add(pool)
    return sorted(fit)


def most_telling(rising: Sequence[int]) -> list[int]:
    """The last of them, then the first, then those in the middle of what lies between: time may run out."""
    ordered = [*rising[-1:], *rising[:1]]
    gaps = [(0, len(rising) - 1)]
    while gaps:
        low, high = gaps.pop(0)
        middle = (low + high) // 2
        if low < middle < high:
            ordered.append(rising[middle])
            gaps += [(low, middle), (middle, high)]
    return list(dict.fromkeys(ordered))


def feature_stages(design: Design) -> tuple[list[Stage], dict[str, Variant]]:
    """What each distortion does to the attacker who does not know of the change, and to one trained anew."""
    without = removals(design)
    swept = [variant for place in range(len(design.distortions)) for variant in sweep(design, place)]
    unaware = {variant.condition: variant for variant in (*without, *swept)}
    adapted = [Cell(TRAINED, ADAPTED_LABELS)] + [trained_anew(variant) for variant in without]
    raised = [sweep(design, place)[-1] for place in range(len(design.distortions))]
    stages = [
        Stage("each distortion, non-adaptive attacker", tuple(Cell(TRAINED, 0, name) for name in unaware)),
        Stage("each distortion removed, adaptive attacker", tuple(adapted)),
        Stage("each distortion at 5, adaptive attacker", tuple(map(trained_anew, raised))),
    ]
    return stages, unaware


def perturbation_stage(pool: int) -> Stage:
    """Perturbed images: by the attacked network, by another, after what washes them out, after training on them."""
    cells = []
    for how in PERTURBATIONS:
        cells += [Cell(attack.name, 0, how.name) for attack in reversed(MODELS)]
        cells += [Cell(TRAINED, 0, Perturbed(how, wash).condition) for wash in WASHES]
    strongest = PERTURBATIONS[-1]
    if pool >= ADAPTED_LABELS:
        cells += [Cell(TRAINED, ADAPTED_LABELS), Cell(TRAINED, ADAPTED_LABELS, strongest.name, strongest.name)]
    return Stage("adversarial perturbation", tuple(cells))


def pair_stage(design: Design, effects: Mapping[int, float]) -> tuple[Stage, dict[str, Variant]]:
    """The strongest distortions, two at a time. ``effects``: place -> change in rate without it."""
    strongest = sorted(effects, key=lambda place: (-abs(effects[place]), place))[:STRONGEST_PAIRS]
    both = pairs(design, sorted(strongest))
    cells = [cell for variant in both for cell in (Cell(TRAINED, 0, variant.condition), trained_anew(variant))]
    return Stage("pairs of distortions removed", tuple(cells)), {variant.condition: variant for variant in both}


def effects_of(results: Sequence[Result], variants: Mapping[str, Variant], *, fold_case: bool) -> dict[int, float]:
    """Place -> change in the rate of the adaptive attacker (else the non-adaptive one), for each removed distortion."""
    effects: dict[int, float] = {}
    for labels in (0, ADAPTED_LABELS):
        cells = {r.cell.condition: r for r in results if r.cell.attack == TRAINED and r.cell.labels == labels}
        before = cells.get(BASE)
        for condition, variant in variants.items():
            after = cells.get(condition)
            if variant.removes is None or before is None or after is None:
                continue
            if pairs_read := paired(before, after, fold_case=fold_case):
                effects[variant.removes] = paired_change(*zip(*pairs_read, strict=True)).value
    return effects


def trained_anew(variant: Variant) -> Cell:
    """An attacker trained on a changed design and tested on it."""
    return Cell(TRAINED, ADAPTED_LABELS, variant.condition, variant.condition)
