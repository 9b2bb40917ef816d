"""The rows of a report, as ``report.json`` has them: frozen, with the sentence that its schema says of each field.

Tested in ``tests/audit/test_schema.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from captcha_solver.audit.figures import (
    Amount,
    AttackName,
    Bound,
    Change,
    ChangeInterval,
    Count,
    Interval,
    Labels,
    Share,
    said,
)
from captcha_solver.audit.findings.breakdown import Kind
from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.verdicts import Verdict
from captcha_solver.audit_settings import Prices


@dataclass(frozen=True, slots=True)
class RateRow:
    """The rate of an attack with one budget."""

    name: AttackName
    labels: Labels
    n: Annotated[Count, said("Images tested, broken and unread ones included.")]
    solved: Annotated[Count, said("Images whose whole text was read correctly.")]
    rate: Annotated[Share, said("solved / n.")]
    ci95: Annotated[Interval, said("95 % Wilson interval of the rate, [low, high].")]


@dataclass(frozen=True, slots=True)
class AttackRow(RateRow):
    """An attack on the design as it is, or all of them together."""

    ms_per_solve: Annotated[Amount | None, said("Mean time of one core for an answer; null of all together.")]
    train_core_s: Annotated[Amount | None, said("Seconds of one core that training took; null of all together.")]
    train_accuracy: Annotated[Share | None, said("Share of its own labels that it reads; null where there are none.")]
    model_sha256: Annotated[str | None, said("Of the network that read; empty of stock OCR, null of all together.")]


@dataclass(frozen=True, slots=True)
class AttackAndBudget:
    """An attack, told from its others by its labels."""

    name: AttackName
    labels: Labels


@dataclass(frozen=True, slots=True)
class CurveRow:
    """The label curve of an attack."""

    attack: AttackName
    rising: Annotated[
        bool, said("Whether the last labels still brought something beyond chance, so that the rate is a lower bound.")
    ]
    points: Annotated[tuple[RateRow, ...], said("The rate with each budget, fewest labels first, a generator last.")]
    labels_needed: Annotated[tuple[Needed, ...], said("Labels until the attack reaches a rate.")]


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What a published mark says of the best attack."""

    threshold: Annotated[Share, said("The rate from which on a design counts as broken.")]
    source: Annotated[str, said("Who said so.")]
    status: Annotated[
        Verdict,
        said("At 95 %: the best attack's rate is at or above the threshold, below it, or the trials cannot tell."),
    ]
    labels: Annotated[
        Count | None,
        said("The fewest labels with which any attack reached the threshold, or a bound; null: only generators did."),
    ]
    bound: Annotated[Bound | None, said("As of labels_needed; null where labels is.")]
    trials_needed_to_claim_it_holds: Annotated[
        Count, said("Failed tries, and no other, that it takes to say so: 299 for 1 %.")
    ]


@dataclass(frozen=True, slots=True)
class Lockout:
    """What cutting off tries leaves to an attacker."""

    tries: Annotated[Count, said("Tries before the lock-out.")]
    chance: Annotated[Share, said("That one of them is right.")]


@dataclass(frozen=True, slots=True)
class CostRow:
    """What an attack costs."""

    attack: AttackName
    labels: Labels
    prices: Annotated[Prices, said("As given to the audit, in a currency of your own.")]
    once: Annotated[Amount, said("Labels and training.")]
    per_1000_correct: Annotated[Amount | None, said("Running cost of 1,000 correct answers; null where none came.")]
    attempts_per_correct: Annotated[
        Annotated[float, Meta(ge=1)] | None, said("1 / rate; null where no answer was right.")
    ]
    lockout: Annotated[tuple[Lockout, ...], said("What cutting off tries leaves, tries taken as independent.")]


@dataclass(frozen=True, slots=True)
class AnswersAt:
    """How much an attacker can answer and still be right so often."""

    accuracy: Annotated[Share, said("How often they want to be right.")]
    coverage: Annotated[Share, said("Share of images answered; 0 where it cannot be had.")]
    threshold: Annotated[Share, said("The confidence from which on they answer.")]


@dataclass(frozen=True, slots=True)
class ConfidenceRow:
    """What an attacker gets who answers only where they are sure."""

    attack: AttackName
    labels: Labels
    n: Annotated[Count, said("Answers that it rests on.")]
    calibration_error: Annotated[
        Share, said("Expected calibration error over 15 bins of equal width (Naeini et al. 2015).")
    ]
    area: Annotated[
        Share, said("Area under the risk-coverage curve (Geifman and El-Yaniv 2017); 0 is best for the attacker.")
    ]
    curve: Annotated[
        tuple[tuple[Share, Share, Share], ...],
        said("[share answered, share right of those, least confidence among those], the surest first; 60 at most."),
    ]
    answers_at: Annotated[
        tuple[AnswersAt, ...], said("The largest part that they can answer and still be right so often.")
    ]


class Kinds(msgspec.Struct, frozen=True, rename={kind.name.lower(): kind.value for kind in Kind}):
    """What became of the images; a struct, because JSON calls its fields by more than one word."""

    solved: Annotated[Count, said("The whole text was right.")]
    nothing: Annotated[Count, said("No answer, broken images included.")]
    length: Annotated[Count, said("Segmentation errors of the segmented route, length errors of the others.")]
    recognition: Annotated[Count, said("Recognition errors.")]

    def of(self, kind: Kind) -> int:
        """How many were of a kind."""
        found: int = getattr(self, kind.name.lower())
        return found


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """Where an attack fails."""

    attack: AttackName
    labels: Labels
    n: Annotated[Count, said("Answers; the kinds add up to it.")]
    kinds: Annotated[Kinds, said("What became of the images.")]
    confusions: Annotated[
        tuple[tuple[str, str, Count], ...],
        said("[true character, what it was read as or empty, how often], most frequent first; 20 at most."),
    ]
    places: Annotated[
        tuple[tuple[Count, Share], ...],
        said("[place in the text from 0, share of characters there that were read wrong]."),
    ]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of the images does to an attacker."""

    name: Annotated[str, said("What was changed; several with + between them.")]
    what: Annotated[str, said("How: removed, or at which severity.")]
    condition: Annotated[str, said("The changed design, as in trials.jsonl and cells.jsonl.")]
    attack: AttackName
    labels: Labels
    adaptive: Annotated[bool, said("Whether the attacker was trained anew on the changed design.")]
    rate: Annotated[Share, said("Rate on the changed design.")]
    change: Annotated[Change, said("That rate less the same attacker's on the design as it is, on the same texts.")]
    ci95: ChangeInterval
    legibility_change: Annotated[
        float | None,
        said("Change of the legibility proxy, which is not validated on people; null where it has none."),
    ]
    n: Annotated[Count, said("Texts that were compared.")]
    changes: Annotated[
        Mapping[str, float], said("Distortion -> its severity now, 0 where it was removed; empty of a perturbation.")
    ] = field(default_factory=dict)
    wash: Annotated[
        str | None, said("What was done to a perturbed image before it was read; null where nothing was.")
    ] = None

    @property
    def severity(self) -> float | None:
        """The severity of the one distortion that was changed; None where it was not one."""
        return next(iter(self.changes.values())) if len(self.changes) == 1 else None


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """What the owner is advised to change."""

    do: Annotated[str, said("What to do.")]
    why: Annotated[str, said("Why.")]
    condition: Annotated[
        str | None, said("The condition whose row of features it rests on; null where it rests on none.")
    ]
    change: Annotated[Change, said("Of the rate.")]
    ci95: ChangeInterval
    legibility_change: Annotated[float | None, said("Of the proxy.")]
    changes: Annotated[Mapping[str, float], said("Distortion -> severity to set it to; 0 removes it.")]
