"""The pieces of work that a queued audit is cut into, and what they found; each to and from what Redis holds.

Tested in ``tests/workers/audits/test_record.py``.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from captcha_solver.audit.cells import BASE, Cell, Result, TrialRecord
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.runner import LeftOut
from workers.audits.record import PieceText, packed, unpacked


@dataclass(frozen=True, slots=True)
class Piece:
    """What one RQ job does: some cells of a stage, or, without cells, planning what comes next."""

    stage: str
    cells: tuple[Cell, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"stage": self.stage, "cells": [asdict(cell) for cell in self.cells]})

    def text(self) -> PieceText:
        """The piece as it is stored."""
        return PieceText(self.to_json(), len(self.cells))

    @classmethod
    def from_json(cls, text: bytes) -> "Piece":
        known = json.loads(text)
        return cls(known["stage"], tuple(Cell(**cell) for cell in known["cells"]))


def pieces_of(stages: Iterable[Stage]) -> list[Piece]:
    """The cells of stages as pieces, each cell once: those of one trained attacker together, so that they are trained
    once; those on one changed design together, so that it is drawn or perturbed once; every other one by itself."""
    taken: set[Cell] = set()
    pieces = []
    for stage in stages:
        alike: dict[Any, list[Cell]] = {}
        for cell in stage.cells:
            if cell not in taken:
                alike.setdefault(_shared(cell), []).append(cell)
                taken.add(cell)
        pieces += [Piece(stage.name, tuple(cells)) for cells in alike.values()]
    return pieces


def _shared(cell: Cell) -> object:
    """What other cells may share with one, and is made once for all of them."""
    if cell.labels:
        return (cell.attack, cell.labels, cell.trained_on, cell.seed)
    return cell if cell.condition == BASE else cell.condition


def packed_result(result: Result) -> bytes:
    """Compressed JSON: trials are much alike."""
    return packed(json.dumps(asdict(result), ensure_ascii=False).encode())


def result_of(data: bytes) -> Result:
    known = json.loads(unpacked(data))
    rows = known.pop("trials", None) or known.pop("outcomes", [])  # as they were called before
    return Result(Cell(**known.pop("cell")), [TrialRecord(**each) for each in rows], **known)


def left_out_json(left_out: LeftOut) -> str:
    return json.dumps(asdict(left_out))


def left_out_of(text: bytes) -> LeftOut:
    known = json.loads(text)
    return LeftOut(Cell(**known["cell"]), known["why"])
