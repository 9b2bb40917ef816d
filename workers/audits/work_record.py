"""The pieces of work that a queued audit is cut into, and what they found; each to and from what Redis holds.

Tested in ``tests/workers/audits/test_record.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from captcha_solver.audit.cells import BASE, Cell, Result
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.runner import LeftOut
from workers.audits.record import PieceText, packed, unpacked


@dataclass(frozen=True, slots=True)
class Piece:
    """What one RQ job does: some cells of a stage, or, without cells, planning what comes next."""

    stage: str
    cells: tuple[Cell, ...] = ()

    def text(self) -> PieceText:
        """The piece as it is stored."""
        return PieceText(msgspec.json.encode(self).decode(), len(self.cells))

    @classmethod
    def from_json(cls, text: bytes) -> "Piece":
        return msgspec.json.decode(text, type=cls)


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
    return packed(msgspec.json.encode(result))


def result_of(data: bytes) -> Result:
    known = msgspec.json.decode(unpacked(data))
    if "outcomes" in known:  # as its trials were called before
        known["trials"] = known.pop("outcomes")
    return msgspec.convert(known, Result)


def left_out_json(left_out: LeftOut) -> str:
    return msgspec.json.encode(left_out).decode()


def left_out_of(text: bytes) -> LeftOut:
    return msgspec.json.decode(text, type=LeftOut)
