"""Results of cells made of texts and answers, without an attack: what findings are computed from."""

from collections.abc import Sequence
from typing import Any

from captcha_solver.audit.cells import BASE, Cell, Result, TrialRecord

Answer = tuple[str, str, float]  # truth, what was read, confidence


def result(
    attack: str, labels: int, answers: Sequence[Answer], condition: str = BASE, trained_on: str = BASE, **cost: Any
) -> Result:
    """A finished cell; its images are named by their place."""
    cell = Cell(attack, labels, condition, trained_on)
    trials = [
        TrialRecord(cell.id, f"{place}.png", truth, text, sure, None if text else "no text")
        for place, (truth, text, sure) in enumerate(answers)
    ]
    return Result(cell, trials, **cost)


def solving(solved: str, sure: float = 0.5) -> list[Answer]:
    """Answers to texts of one character: ``x`` where it is read, ``.`` where another is, `` `` where none is."""
    read = {"x": "a", ".": "b", " ": ""}
    return [("a", read[each], sure) for each in solved]
