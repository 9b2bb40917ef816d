"""The entry of one design on a leaderboard: what it was attacked under, and what was measured or why nothing was.

Tested in ``tests/audit/leaderboard/test_run.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from captcha_solver.audit.facts import Audited
from captcha_solver.audit.findings.inconclusive import Reason
from captcha_solver.audit.findings.rows import (
    AttackAndBudget,
    AttackRow,
    BreakdownRow,
    CostRow,
    CurveRow,
    ThresholdRow,
)
from captcha_solver.audit.report import Report, ReportedProvenance
from captcha_solver.audit.runner import LeftOut
from captcha_solver.errors import DatasetError

ENTRY_VERSION = 1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a result was made under: neither the minutes, as what they left out is done later, nor claims.

    ``attackers``: attack -> SHA-256 of the shipped model that it starts from; ``steps``: labels -> steps of training.
    """

    generator: str
    version: str
    seed: int
    tested: int
    budgets: tuple[int, ...]
    fold_case: bool
    attackers: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Legibility:
    """The mean of the legibility proxy over ``n`` texts."""

    mean: float
    n: int


@dataclass(frozen=True, slots=True)
class EntryReport:
    """What an entry keeps of an audit's report; ``inconclusive`` was added later."""

    design: Audited
    provenance: ReportedProvenance
    attacks: tuple[AttackRow, ...]
    best: AttackAndBudget
    curves: tuple[CurveRow, ...]
    thresholds: tuple[ThresholdRow, ...]
    cost: CostRow | None
    breakdown: tuple[BreakdownRow, ...]
    flags: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    inconclusive: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A design that was attacked, with its report; or one that could not be, with ``missing``: why."""

    entry_version: int
    name: str
    panel_sha256: str
    terms: Terms
    summary: str | UnsetType = UNSET
    specimen: str | UnsetType = UNSET
    missing: str | UnsetType = UNSET
    legibility: Legibility | UnsetType | None = UNSET
    report: EntryReport | UnsetType = UNSET

    def to_json(self) -> str:
        """The text of its file."""
        return json.dumps(msgspec.to_builtins(self), indent=1, ensure_ascii=False) + "\n"


def kept(report: Report) -> EntryReport:
    """What an entry keeps of a report."""
    return EntryReport(**{each.name: getattr(report, each.name) for each in fields(EntryReport)})


def parse_entry(path: Path) -> Entry | None:
    """The entry in a file; None where there is no such file, ``DatasetError`` where it holds something else."""
    try:
        made: Any = msgspec.json.decode(path.read_bytes())
        if not isinstance(made, dict) or made.get("entry_version") != ENTRY_VERSION:
            raise DatasetError(
                f"{path}: expected an entry of version {ENTRY_VERSION} of a leaderboard, received another"
            )
        return msgspec.convert(made, Entry)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected the JSON of a leaderboard, received {error}") from error
