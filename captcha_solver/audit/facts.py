"""What an audit knows of itself besides its results: written into ``audit.json`` beside the trials.

Tested in ``tests/audit/test_report.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from captcha_solver.audit.figures import Count, said
from captcha_solver.audit.provenance import Provenance
from captcha_solver.audit.runner import LeftOut
from captcha_solver.audit.subjects.record import SubjectKind
from captcha_solver.audit_settings import Prices
from captcha_solver.errors import DatasetError
from captcha_solver.records import parse_record

FACTS = "audit.json"


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed design: each changed distortion's name and its severity now, 0 where it was taken away."""

    severities: tuple[tuple[str, int | float], ...] = ()  # as they were written: 0 stays 0

    @property
    def name(self) -> str:
        return " + ".join(name for name, _ in self.severities)

    @property
    def what(self) -> str:
        return ", ".join("removed" if at == 0 else f"at {at:g}" for _, at in self.severities)


@dataclass(frozen=True, slots=True)
class Audited:
    """What was attacked, and on how many images."""

    name: Annotated[str, said("The design's name, the folder's, the command's or the function's.")]
    kind: Annotated[
        SubjectKind,
        said("A design drawn by this package, labelled images, another program, or a Python function."),
    ]
    tested: Annotated[Count, said("Images that every attack was tested on, duplicates of labelled ones taken out.")]


@dataclass(frozen=True, slots=True)
class Facts:
    """What an audit knows besides its results. ``legibility``: condition -> mean of the proxy."""

    design: Audited
    provenance: Provenance
    fold_case: bool
    prices: Prices
    flags: tuple[str, ...] = ()
    variants: Mapping[str, Changed] = field(default_factory=dict)
    legibility: Mapping[str, float] = field(default_factory=dict)
    drift: tuple[str, ...] = ()  # the conditions of the schedule, in order
    proposed: str | None = None  # the condition that all advice together amounts to, where it was drawn
    left_out: tuple[LeftOut, ...] = ()
    animated: int = 0  # tested images whose frames differ

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for two runs to be one audit."""
        known = self.provenance
        return {
            **msgspec.to_builtins(known.subject),
            "number of tested images": self.design.tested,
            "seed": known.seed,
            "budgets": list(known.budgets),
            "fold_case": known.fold_case,
            **({"answer": known.answer} if known.answer else {}),
            **({"infer": known.infer} if known.infer else {}),
            "images_sha256": known.images_sha256,
            "version": known.version,
        }

    def to_json(self) -> str:
        return json.dumps(msgspec.to_builtins(self), indent=1, ensure_ascii=False) + "\n"


def read_facts(folder: Path) -> Facts:
    """The facts of the audit in ``folder``; ``DatasetError`` where it has none that can be read."""
    path = folder / FACTS
    try:
        return parse_record(Facts, path.read_bytes(), added=("animated", "answer", "infer"))
    except FileNotFoundError:
        raise DatasetError(f"{folder}: expected the folder of an audit, found no {FACTS}") from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error
