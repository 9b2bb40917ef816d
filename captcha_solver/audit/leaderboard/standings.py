"""The rows of a leaderboard: each figure a pure function of its entries, and what not to trust in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from captcha_solver.audit.attackers.attacks import STOCK
from captcha_solver.audit.findings.cost import Effort, cost
from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.findings.findings import ANY, SUREST
from captcha_solver.audit.findings.inconclusive import LEARNT, is_unlearnt
from captcha_solver.audit.findings.rows import AttackAndBudget, AttackRow
from captcha_solver.audit.leaderboard.entry import Entry, EntryReport
from captcha_solver.audit.leaderboard.panel import Entrant
from captcha_solver.audit.report import FEW_TESTED, OVERFITTED
from captcha_solver.audit_settings import Prices

LABELS_TO = (0.01, 0.5)
SPLITS = "segmented"  # the attack that cuts an image into characters


class Doubt(StrEnum):
    """Why a result cannot be trusted."""

    FEW = "few images"
    RISING = "not saturated"
    STOCK = "stock OCR is best"
    BY_HEART = "overfitted"
    UNLEARNT = "undertrained attacker"
    TAUGHT = "in the training data"
    PARTIAL = "parts left out"
    EARLIER = "earlier model"


REASONS = {
    Doubt.FEW: f"fewer than {FEW_TESTED} images were tested, so that not even 0 solved would bound the rate by 1 %",
    Doubt.RISING: "the best attack still gained with its last labels: its rate is a lower bound",
    Doubt.STOCK: "an OCR program that anybody can run reads more than the attackers that can learn: they are weak",
    Doubt.BY_HEART: f"with the most labels, an attack reads over {100 * OVERFITTED:.0f} points more of its own labels "
    "than of other images: with more labels they would read more",
    Doubt.UNLEARNT: f"with the most labels, no attack reads even {LEARNT:.0%} of its own labels: these attackers "
    "are not fit for the design, and its low rate says little of others",
    Doubt.TAUGHT: "a shipped attacker saw drawings of this design while it was trained: 0 labels are not 0 for others",
    Doubt.EARLIER: "it was attacked by an earlier version of the shipped models; the present one may read more",
    Doubt.PARTIAL: "not all of the budget was spent, for want of time or because an attacker could not be trained",
}


@dataclass(frozen=True, slots=True)
class Cheapest:
    """What the first thousand correct answers cost with the attack for which they cost least."""

    price: float
    attack: str
    labels: int


@dataclass(frozen=True, slots=True)
class Missplit:
    """Of the segmented route's ``wrong`` answers, those with a wrong number of ``characters``, or none."""

    characters: int
    wrong: int

    @property
    def share(self) -> float:
        return self.characters / self.wrong


@dataclass(frozen=True, slots=True)
class Standing:
    """One row. ``needed``: labels until any attack reaches the rates of ``LABELS_TO``."""

    entrant: Entrant
    entry: Entry
    report: EntryReport
    best: AttackRow
    needed: tuple[Needed, ...]
    cheapest: Cheapest | None
    missplit: Missplit | None
    legibility: float | None
    doubts: tuple[Doubt, ...]


def standing(entrant: Entrant, entry: Entry, prices: Prices, *, earlier: bool = False) -> Standing:
    """The row of a design that was attacked, perhaps by an ``earlier`` version of the shipped models."""
    report = entry.report
    assert report, "a design that could not be attacked has no row"
    return Standing(
        entrant=entrant,
        entry=entry,
        report=report,
        best=next(row for row in single(report) if AttackAndBudget(row.name, row.labels) == report.best),
        needed=tuple(fewest(report, rate) for rate in LABELS_TO),
        cheapest=cheapest(report, prices),
        missplit=missplit(report),
        legibility=entry.legibility.mean if entry.legibility else None,
        doubts=(*doubts(report, entrant), *((Doubt.EARLIER,) if earlier else ())),
    )


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """The strongest design first: the one of which least is read; of equals, the one that takes more labels."""
    return sorted(standings, key=lambda row: (row.best.rate, -row.needed[-1].labels, row.entrant.name))


def single(report: EntryReport) -> Iterator[AttackRow]:
    """The attacks by one attacker."""
    return (row for row in report.attacks if row.name not in {ANY, SUREST})


def fewest(report: EntryReport, rate: float) -> Needed:
    """The fewest labels with which an attack reaches ``rate``; the most tried, where none does."""
    at_once = [Needed(rate, 0, "=") for row in single(report) if row.labels == 0 and row.rate >= rate]
    learnt = [
        each for curve in report.curves for each in curve.labels_needed if each.threshold == rate and each.bound != ">"
    ]
    most = max(row.labels for row in single(report))
    return min(at_once + learnt, key=lambda needed: needed.labels, default=Needed(rate, most, ">"))


def cheapest(report: EntryReport, prices: Prices) -> Cheapest | None:
    """Labels and training are paid before the first answer; None where no attack was ever right."""
    found = []
    for row in single(report):
        effort = Effort(row.labels, row.train_core_s or 0.0, row.ms_per_solve or 0.0, row.rate)
        if (price := cost(effort, prices).total()) is not None:
            found.append(Cheapest(price, row.name, row.labels))
    return min(found, key=lambda each: each.price, default=None)


def missplit(report: EntryReport) -> Missplit | None:
    """How often the segmented route cut wrong; None where it was never wrong, or not tried.

    With the fewest labels: from them an attacker learns how long a text is, and then cuts wrong without its showing.
    """
    rows = [row for row in report.breakdown if row.attack == SPLITS]
    if not rows:
        return None
    kinds = min(rows, key=lambda row: row.labels).kinds
    wrong = kinds.nothing + kinds.length + kinds.recognition
    return Missplit(kinds.length + kinds.nothing, wrong) if wrong else None


def doubts(report: EntryReport, entrant: Entrant) -> tuple[Doubt, ...]:
    """What speaks against the row."""
    rows = list(single(report))
    stock = {attack.name for attack in STOCK}
    by_stock = max((row.rate for row in rows if row.name in stock), default=0.0)
    by_ours = max((row.rate for row in rows if row.name not in stock), default=0.0)
    most = max(row.labels for row in rows)
    own = {row: row.train_accuracy for row in rows if row.labels == most and row.train_accuracy is not None}
    found = {
        Doubt.FEW: report.design.tested < FEW_TESTED,
        Doubt.RISING: any(curve.rising for curve in report.curves if curve.attack == report.best.name),
        Doubt.STOCK: by_stock > by_ours,
        Doubt.BY_HEART: any(read - row.rate > OVERFITTED for row, read in own.items()),
        Doubt.UNLEARNT: is_unlearnt(list(own.values())),
        Doubt.TAUGHT: entrant.taught,
        Doubt.PARTIAL: bool(report.left_out),
    }
    return tuple(doubt for doubt, holds in found.items() if holds)
