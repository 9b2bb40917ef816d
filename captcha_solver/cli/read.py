"""The commands that read: ``solve`` images, and ``score`` labelled folders.

Tested in ``tests/cli/test_main.py``.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from captcha_solver import __version__
from captcha_solver.arithmetic.expressions import parse_expression
from captcha_solver.attempt import attempt
from captcha_solver.charset import Charset, both_cases, parse_charset, shown
from captcha_solver.cli.options import ReadingOptions, reading_options, takes
from captcha_solver.cli.output import (
    BROKEN,
    DONE,
    NOT_ALL,
    complain,
    interval,
    percent,
    printable,
    row_writer,
    show_table,
    warn_each,
)
from captcha_solver.dataset import Dataset, inspect_folder
from captcha_solver.errors import DatasetError
from captcha_solver.folders.contents import look_into
from captcha_solver.folders.labels_csv import LabelUse
from captcha_solver.image import DEFAULT_LIMITS, FORMATS, read_file
from captcha_solver.score import SetScore, run_trials, score_trials, unknown_characters, unreadable
from captcha_solver.solver import CHUNK, Solver, load_solver
from captcha_solver.terminal import counting_bar
from captcha_solver.text_prior import TextPrior
from captcha_solver.types import Solution, Trial

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
STDIN = Path("-")
FIELDS = ("file", "text", "confidence", "recognizer", "elapsed_ms", "views", "frames", "failure")


@dataclass(frozen=True, slots=True)
class Item:
    """One image to solve, and the name it is reported under."""

    path: Path
    file: str

    def is_there(self) -> bool:
        """Whether there is a file of that name, or standard input is meant."""
        return self.path == STDIN or self.path.exists()

    def read(self) -> bytes:
        """Its bytes; ``ImageError`` where they cannot be read."""
        if self.path != STDIN:
            return read_file(self.path)
        return sys.stdin.buffer.read(DEFAULT_LIMITS.max_bytes + 1)


@dataclass(frozen=True, slots=True)
class ScoreOptions(ReadingOptions):
    """How labelled folders are to be scored."""

    fold_case: bool
    infer: bool
    limit: int | None
    form: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one folder, the hash of its data, and how many things were wrong with it."""

    score: SetScore
    data_sha256: str
    problems: int
    inferred: TextPrior | None = None


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="IMAGE|FOLDER...")
@reading_options
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), default="table", show_default=True)
@takes(ReadingOptions)
def solve(paths: tuple[str, ...], form: str, options: ReadingOptions) -> int:
    """Read images, or all images of folders; one answer an image, in order. - is standard input."""
    solver = _solver(options)
    items, problems, notes = _items(paths)
    with row_writer(form, FIELDS) as write, counting_bar("solving", len(items)) as done:
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            for item, solution in zip(chunk, _solved(solver, chunk), strict=True):
                write(solution_row(item.file, solution))
                if solution.frames > 1:
                    notes.append(f"{item.file}: {solution.frames} frames that differ, read as one picture")
                if solution.failure:
                    problems.append(f"{item.file}: {solution.failure}")
            done(len(chunk))
    warn_each(notes, kind="note")
    nothing = not any(item.is_there() for item in items)
    warn_each(problems, kind="error" if nothing else "warning")
    if nothing:
        return BROKEN
    return NOT_ALL if problems else DONE


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@reading_options
@click.option("--fold-case", is_flag=True, help="Count upper and lower case as the same letter.")
@click.option("--infer", is_flag=True, help="Infer length and characters of the texts from each folder's own answers.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows of each folder.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@takes(ScoreOptions)
def score(folders: tuple[str, ...], options: ScoreOptions) -> int:
    """Measure how many images of labelled folders (labels.csv: filename,label) are read correctly."""
    fold_case = options.fold_case
    usual = _solver(options, fold_case=fold_case)
    datasets, problems = _datasets(folders, options.limit)
    warn_each(problems, kind="warning" if datasets else "error")
    scores = []
    for dataset in datasets:
        notes = (*LabelUse(0, 0, dataset.unlabelled).told, *dataset.notes)
        warn_each([f"{dataset.name}: {note}" for note in notes], kind="note")
        solver = usual
        if options.infer:
            solver = usual.inferring([sample.image for sample in dataset.samples])
            complain(f"{dataset.name}: inferred {solver.prior.told()}", kind="note")
        with counting_bar(dataset.name, len(dataset.samples)) as done:
            trials = run_trials(solver, dataset.samples, done=done)
        wrong = _problems(dataset, trials, solver)
        warn_each([f"{dataset.name}: {line}" for line in wrong])
        problems += wrong
        measured = score_trials(dataset.name, trials, fold_case=fold_case)
        scores.append(Measured(measured, dataset.sha256, len(wrong), solver.prior if options.infer else None))
    if not scores:
        return BROKEN
    if options.form == "json":
        click.echo(json.dumps(_as_json(scores, usual, fold_case), indent=2))
    else:
        show_scores([each.score for each in scores], usual.recognizer.name, usual.recognizer.model_sha256)
    return NOT_ALL if problems else DONE


def _solver(options: ReadingOptions, *, fold_case: bool = False) -> Solver:
    """What reads as asked for; a warning where it lacks characters of the charset."""
    charset = options.charset
    solver = load_solver(
        options.model,
        runtime=options.runtime,
        charset=charset,
        length=options.length,
        views=options.views,
        fold_case=fold_case,
        answer=options.answer,
    )
    own = solver.recognizer.charset
    known = Charset(both_cases(own.symbols)) if fold_case else own
    lacking = known.lacks(parse_charset(charset).symbols) if charset else ""
    if lacking:
        complain(f"model {options.model} does not have {shown(lacking)!r} of the charset", kind="warning")
    return solver


def _items(paths: Sequence[str]) -> tuple[list[Item], list[str], list[str]]:
    """The images of files and folders, what is wrong with the folders, and what else lies there.

    A missing file stays an item.
    """
    items: list[Item] = []
    problems: list[str] = []
    notes: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            items.append(Item(path, printable(str(path))))
            continue
        found = look_into(path)
        items += [Item(file, printable(str(file))) for file in found.files]
        notes += [f"{path}: {note}" for note in found.told()]
        if not found.files:
            problems.append(f"{path}: expected a folder with images ({', '.join(FORMATS)}), received none")
    return items, problems, notes


def _solved(solver: Solver, items: Sequence[Item]) -> list[Solution]:
    """One solution an item; a file that cannot be opened is one with that failure."""
    opened = [attempt(Item.read, item) for item in items]
    solutions = solver.solve_batch([each.value or b"" for each in opened])
    return [
        replace(
            solution,
            failure=each.failure or solution.failure,
            elapsed_ms=solution.elapsed_ms + each.elapsed_ms,
        )
        for each, solution in zip(opened, solutions, strict=True)
    ]


def solution_row(file: str, solution: Solution) -> dict[str, str | float | None]:
    """What is shown of one image: ``FIELDS``."""
    return {
        "file": file,
        "text": solution.text,
        "confidence": round(solution.confidence, 6),
        "recognizer": solution.recognizer,
        "elapsed_ms": round(solution.elapsed_ms, 3),
        "views": solution.views,
        "frames": solution.frames,
        "failure": solution.failure,
    }


def _datasets(folders: Sequence[str], limit: int | None) -> tuple[list[Dataset], list[str]]:
    """The folders that can be scored, each under a name of its own, and what is wrong with the others."""
    datasets: list[Dataset] = []
    problems: list[str] = []
    for folder in folders:
        try:
            dataset = inspect_folder(Path(folder), limit=limit)
        except DatasetError as error:
            problems.append(str(error))
            continue
        taken = dataset.name in {each.name for each in datasets}
        datasets.append(replace(dataset, name=folder) if taken else dataset)
    return datasets, problems


def _problems(dataset: Dataset, trials: Sequence[Trial], solver: Solver) -> list[str]:
    """All that keeps single images from being scored as they should; each stays in the denominator."""
    problems = list(dataset.problems)
    charset, known = solver.recognizer.charset, solver.constraints
    count, characters = unknown_characters(dataset.samples, charset, fold_case=known.fold_case)
    no_sums = [s for s in dataset.sound if known.answer == "expression" and parse_expression(s.text) is None]
    if no_sums:
        example = f"{no_sums[0].text!r} of {no_sums[0].id}"
        problems.append(f"{len(no_sums)} labels are no expressions, such as {example}: not solved")
    if count:
        problems.append(f"{count} labels hold characters the model does not have ({characters}): not solved")
    broken = [trial for trial in unreadable(trials) if trial.sample_id not in dataset.missing]
    return problems + [f"{trial.sample_id}: {trial.solution.failure}" for trial in broken]


def show_scores(scores: Sequence[SetScore], model: str, model_sha256: str) -> None:
    """The table: a line a set, the mean of several, and which model it was."""
    headers = ("set", "n", "solved", "rate", "95 % interval", "cer", "ms/image")
    rows = [
        (
            s.name,
            str(s.n),
            str(s.solved),
            percent(s.accuracy),
            interval(s.ci95),
            f"{s.cer:.3f}",
            f"{s.ms_per_image:.2f}",
        )
        for s in scores
    ]
    if len(rows) > 1:
        mean = sum(score.accuracy for score in scores) / len(scores)
        rows.append(("mean of the sets", str(sum(score.n for score in scores)), "", percent(mean), "", "", ""))
    show_table(headers, rows, right=headers[1:])
    click.echo(f"model {model} {model_sha256[:12]}, captcha-solver {__version__}")


def _as_json(scores: Sequence[Measured], solver: Solver, fold_case: bool) -> dict[str, object]:
    constraints = solver.constraints
    return {
        "sets": [
            {
                "name": score.name,
                "n": score.n,
                "solved": score.solved,
                "accuracy": score.accuracy,
                "ci95": list(score.ci95),
                "cer": score.cer,
                "ms_per_image": score.ms_per_image,
                "problems": measured.problems,
                "data_sha256": measured.data_sha256,
                "inferred": None if measured.inferred is None else asdict(measured.inferred),
            }
            for measured in scores
            for score in (measured.score,)
        ],
        "model": solver.recognizer.name,
        "model_sha256": solver.recognizer.model_sha256,
        "runtime": solver.recognizer.runtime,
        "charset": constraints.charset,
        "length": constraints.length_text() or None,
        "views": solver.views.most if solver.views.always else "auto",
        "fold_case": fold_case,
        "answer": constraints.answer,
        "seed": None,  # nothing is drawn at random when a folder is scored
        "version": __version__,
    }
