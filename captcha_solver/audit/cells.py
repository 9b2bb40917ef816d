"""One attack with one budget on one variant of a design: what is planned, what it did, and where that is kept."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from captcha_solver.errors import DatasetError, SetupError
from captcha_solver.types import Sample, Solution

TRIALS, CELLS = "trials.jsonl", "cells.jsonl"
UNLIMITED = -1  # labels: as many as the attacker cares to draw
BASE = "as it is"  # the condition of a design that was not changed


@dataclass(frozen=True, slots=True)
class Cell:
    """An attack, the labels it may use, the variant it was trained on and the one it is tested on, and its seed."""

    attack: str
    labels: int = 0
    condition: str = BASE
    trained_on: str = BASE
    seed: int = 0

    @property
    def id(self) -> str:
        """One line that names the cell and nothing else."""
        return "|".join((self.attack, str(self.labels), self.condition, self.trained_on, str(self.seed)))

    @property
    def order(self) -> tuple[float, str, str, str, int]:
        """Fewest labels first, a generator last."""
        labels = float("inf") if self.labels == UNLIMITED else self.labels
        return (labels, self.attack, self.condition, self.trained_on, self.seed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image in one cell: what it says and what was read. Times are not in it: it must be the same every time."""

    cell: str
    sample: str
    truth: str
    text: str
    confidence: float
    failure: str | None

    def solved(self, *, fold_case: bool) -> bool:
        if fold_case:
            return bool(self.truth) and self.truth.casefold() == self.text.casefold()
        return bool(self.truth) and self.truth == self.text


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished cell cost, and its outcomes."""

    cell: Cell
    outcomes: Sequence[Outcome]
    train_core_s: float = 0.0
    train_accuracy: float | None = None
    ms_per_solve: float = 0.0
    model_sha256: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def outcomes(cell: Cell, samples: Sequence[Sample], solutions: Sequence[Solution]) -> list[Outcome]:
    """Pair what was asked with what was read."""
    return [
        Outcome(cell.id, sample.id, sample.text, solution.text, round(solution.confidence, 6), solution.failure)
        for sample, solution in zip(samples, solutions, strict=True)
    ]


class Ledger:
    """The finished cells of an audit, in its folder: trials as they were read, and what each cell cost.

    A cell counts once its line stands in ``cells.jsonl``; trials of one that was cut off are dropped on reading.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results = self._read()

    @property
    def results(self) -> list[Result]:
        """In an order that does not depend on which was done first."""
        return sorted(self._results.values(), key=lambda result: result.cell.order)

    def settle(self) -> None:
        """Bring the files into that order: the same cells then make the same ``trials.jsonl``, byte for byte."""
        self._write(TRIALS, (asdict(outcome) for result in self.results for outcome in result.outcomes))
        self._write(CELLS, map(_entry, self.results))

    def __contains__(self, cell: Cell) -> bool:
        return cell.id in self._results

    def __getitem__(self, cell: Cell) -> Result:
        return self._results[cell.id]

    def add(self, result: Result) -> None:
        """Write a finished cell: its trials first, then the line that makes them count."""
        try:
            self._append(TRIALS, (asdict(outcome) for outcome in result.outcomes))
            self._append(CELLS, [_entry(result)])
        except OSError as error:
            raise SetupError(f"{self._folder}: could not write ({error.strerror}); finished cells are kept") from error
        self._results[result.cell.id] = result

    def _append(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        with (self._folder / name).open("a", encoding="utf-8") as file:
            file.writelines(_line(row) for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> dict[str, Result]:
        by_cell: dict[str, list[Outcome]] = {}
        for row in _rows(self._folder / TRIALS):
            by_cell.setdefault(row["cell"], []).append(Outcome(**row))
        results: dict[str, Result] = {}
        for row in _rows(self._folder / CELLS):
            cell = Cell(**row.pop("cell"))
            found = by_cell.get(cell.id, [])
            n = row.pop("n")
            if len(found) >= n:
                results[cell.id] = Result(cell, found[-n:] if n else [], **{**row, "notes": tuple(row["notes"])})
        unfinished = set(by_cell) - set(results)
        if unfinished or any(len(by_cell[key]) > len(results[key].outcomes) for key in results):
            # drop the trials of cells that were cut off
            self._write(TRIALS, (asdict(outcome) for result in results.values() for outcome in result.outcomes))
        return results

    def _write(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        part = self._folder / f".{name}.part"
        try:
            part.write_text("".join(map(_line, rows)), encoding="utf-8")
            part.replace(self._folder / name)
        except OSError as error:
            raise SetupError(f"{self._folder}: could not write ({error.strerror}); finished cells are kept") from error


def _entry(result: Result) -> dict[str, Any]:
    """A result as ``cells.jsonl`` has it: all but its outcomes, of which it has the number."""
    entry = {key: value for key, value in asdict(result).items() if key not in {"cell", "outcomes"}}
    return entry | {"cell": asdict(result.cell), "n": len(result.outcomes)}


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSON-lines file; a last line that was cut off is not one."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            return
        try:
            yield json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: expected JSON, received {line[:60]!r}") from error
