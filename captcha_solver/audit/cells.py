"""One attack with one budget on one variant of a design: what is planned, what it did, and where that is kept."""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from captcha_solver.arithmetic.expressions import truth_of
from captcha_solver.audit.figures import AttackName, Count, Labels, said
from captcha_solver.errors import DatasetError, SetupError
from captcha_solver.files import write_whole
from captcha_solver.records import Record, parse_record
from captcha_solver.report_files import CELLS, TRIALS
from captcha_solver.texts import same_text
from captcha_solver.types import Sample, Solution

UNLIMITED = -1  # labels: as many as the attacker cares to draw
BASE = "as it is"  # the condition of a design that was not changed


@dataclass(frozen=True, slots=True)
class Cell:
    """An attack, the labels it may use, the variant it was trained on and the one it is tested on, and its seed."""

    attack: AttackName
    labels: Labels = 0
    condition: Annotated[str, said("The variant that it is tested on.")] = BASE
    trained_on: Annotated[str, said("The variant that its labels come from.")] = BASE
    seed: Annotated[Count, said("Added to the audit's own.")] = 0

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
class TrialRecord:
    """One image in one cell: what it says and what was read. Times are not in it: it must be the same every time."""

    cell: str
    sample: str
    truth: str
    text: str
    confidence: float
    failure: str | None

    def solved(self, *, fold_case: bool) -> bool:
        return bool(self.truth) and same_text(self.truth, self.text, fold_case=fold_case)


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished cell cost, and its trials."""

    cell: Cell
    trials: Sequence[TrialRecord]
    train_core_s: float = 0.0
    train_accuracy: float | None = None
    ms_per_solve: float = 0.0
    model_sha256: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finished cell as ``cells.jsonl`` has it: all of its result but the trials, of which it has the number."""

    cell: Cell
    n: int
    train_core_s: float
    train_accuracy: float | None
    ms_per_solve: float
    model_sha256: str


def trials_of(
    cell: Cell, samples: Sequence[Sample], solutions: Sequence[Solution], answer: str | None = None
) -> list[TrialRecord]:
    """Pair what was asked with what was read; of sums, what ``answer`` says."""
    return [
        TrialRecord(
            cell=cell.id,
            sample=sample.id,
            truth=truth_of(sample.text, answer),
            text=truth_of(solution.text, answer),
            confidence=round(solution.confidence, 6),
            failure=solution.failure,
        )
        for sample, solution in zip(samples, solutions, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """What the two files of an audit hold. ``whole``: finished cells and nothing else."""

    results: Sequence[Result]
    whole: bool


class Ledger:
    """The finished cells of an audit, in its folder: trials as they were read, and what each cell cost.

    A cell counts once its line stands in ``cells.jsonl``; what an audit that was cut off left besides is dropped.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = read_files(folder)
        self._results = {result.cell.id: result for result in found.results}
        if not found.whole:
            self._rewrite(found.results)

    @property
    def results(self) -> list[Result]:
        """In an order that does not depend on which was done first."""
        return in_order(self._results.values())

    def settle(self) -> None:
        """Bring the files into that order: the same cells then make the same ``trials.jsonl``, byte for byte."""
        self._rewrite(self.results)

    def __contains__(self, cell: Cell) -> bool:
        return cell.id in self._results

    def __getitem__(self, cell: Cell) -> Result:
        return self._results[cell.id]

    def add(self, result: Result) -> None:
        """Write a finished cell, once: its trials first, then the line that makes them count; all of it or nothing."""
        if result.cell in self:
            return
        sizes = {name: _size(self._folder / name) for name in (TRIALS, CELLS)}
        try:
            self._append(TRIALS, map(asdict, result.trials))
            self._append(CELLS, [_entry(result)])
        except OSError as error:
            for name, size in sizes.items():
                _cut(self._folder / name, size)
            raise self._unwritable(error) from error
        self._results[result.cell.id] = result

    def _append(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        with (self._folder / name).open("ab") as file:
            file.writelines(map(_line, rows))
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, results: Sequence[Result]) -> None:
        """Trials first: should it end between the two, they hold those of each cell in ``cells.jsonl``."""
        self._write(TRIALS, (asdict(trial) for result in results for trial in result.trials))
        self._write(CELLS, map(_entry, results))

    def _write(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        try:
            write_whole(self._folder / name, b"".join(map(_line, rows)))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> SetupError:
        return SetupError(f"{self._folder}: could not write ({error.strerror}); finished cells are kept")


def in_order(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: result.cell.order)


def read_files(folder: Path) -> Found:
    """The finished cells in an audit's folder, as they stand there; ``DatasetError`` where it was tampered with.

    Nothing is written, and cells are read before trials, so that it can be asked of an audit under way.
    """
    entries, cells_whole = _records(LedgerEntry, folder / CELLS)
    trials, trials_whole = _records(TrialRecord, folder / TRIALS)
    by_cell: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        by_cell.setdefault(trial.cell, []).append(trial)
    results: dict[str, Result] = {}
    for entry in entries:
        id_ = entry.cell.id
        if id_ in results:
            raise DatasetError(f"{folder / CELLS}: expected each cell once, received {id_} again")
        found = by_cell.get(id_, [])
        if len(found) != entry.n or len({trial.sample for trial in found}) != entry.n:
            raise DatasetError(
                f"{folder / TRIALS}: expected trials of {entry.n} images in cell {id_}, as {CELLS} has it, "
                f"received {len(found)} of {len({trial.sample for trial in found})} images"
            )
        results[id_] = _result(entry, found)
    return Found(list(results.values()), cells_whole and trials_whole and set(by_cell) <= set(results))


def _entry(result: Result) -> dict[str, Any]:
    known = {each.name: getattr(result, each.name) for each in fields(LedgerEntry) if each.name != "n"}
    return asdict(LedgerEntry(**known, n=len(result.trials)))


def _result(entry: LedgerEntry, trials: Sequence[TrialRecord]) -> Result:
    known = {each.name: getattr(entry, each.name) for each in fields(LedgerEntry) if each.name != "n"}
    return Result(**known, trials=trials)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _records(kind: type[Record], path: Path) -> tuple[list[Record], bool]:
    """The whole lines of a JSON-lines file, and whether there is nothing else: a line that was cut off ends it."""
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], True
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(parse_record(kind, line))
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
    return found, not rest


def _size(path: Path) -> int | None:
    """None of a file that is not there."""
    return path.stat().st_size if path.exists() else None


def _cut(path: Path, size: int | None) -> None:
    """Take off what was written beyond ``size``: it may be half of a line, and what stands before it is good."""
    with contextlib.suppress(OSError):
        if size is None:
            path.unlink()
        else:
            os.truncate(path, size)
