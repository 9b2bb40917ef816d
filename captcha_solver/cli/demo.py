"""Draws several designs, reads them by both routes, shows a table and a contact sheet. ``make demo`` queues them."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from captcha_solver.cli.main import run
from captcha_solver.cli.output import DONE, interval, show_table
from captcha_solver.dataset import writable_folder
from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.score import SetScore, is_solved, run_trials, score_trials
from captcha_solver.sheet import SheetAnswer, SheetCell, contact_sheet
from captcha_solver.solver import load_solver
from captcha_solver.terminal import counting_bar
from captcha_solver.types import Sample, Trial

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
DESIGNS = ("plain", "note", "tilted", "classic", "confetti", "ripple", "crowded", "gauntlet")
ROUTES = ("sliding", "segmented")
SHOWN = 4  # images of each design on the contact sheet


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One design: its samples, and the trials of each route on them."""

    design: str
    samples: Sequence[Sample]
    trials: Mapping[str, Sequence[Trial]]

    def score(self, route: str) -> SetScore:
        return score_trials(self.design, self.trials[route], fold_case=True)


def demo_options(command: CommandT) -> CommandT:
    """--count, --seed and --out: what the demonstration takes, by either way."""
    options = (
        click.option("--count", type=click.IntRange(min=1), default=24, show_default=True, help="Images of each."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
        click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@demo_options
def demo(count: int, seed: int, out: Path) -> int:
    """Draw several built-in designs, read them by both routes, and save a contact sheet."""
    return solve_directly(count, seed, out)


def solve_directly(count: int, seed: int, out: Path) -> int:
    """The demonstration without a service: in this process."""
    writable_folder(out)
    solvers = {route: load_solver(route) for route in ROUTES}
    results = []
    with counting_bar("drawing and solving", len(DESIGNS) * count * (1 + len(ROUTES))) as done:
        for samples in drawings(count, seed):
            done(count)
            trials = {route: run_trials(solver, samples, done=done) for route, solver in solvers.items()}
            results.append(DemoResult(samples[0].design, samples, trials))
    show_results(results, {route: solver.recognizer.model_sha256 for route, solver in solvers.items()}, seed)
    save_sheet(results, out)
    return DONE


def drawings(count: int, seed: int) -> Iterator[list[Sample]]:
    """``count`` samples of each design, design after design."""
    for place, name in enumerate(DESIGNS):
        yield drawn(name, range(place * count, (place + 1) * count), seed)


def drawn(name: str, indices: range, seed: int) -> list[Sample]:
    """Samples of a built-in design, one an index; the same seed and index draw the same."""
    design = load_design(name)
    drawings = draw_run(design, seed, indices.start)
    return [
        Sample(f"{name}-{index:03}", encode_png(drawing.image), drawing.text, name, seed)
        for index, drawing in zip(indices, drawings, strict=False)
    ]


def show_results(results: Sequence[DemoResult], models: Mapping[str, str], seed: int) -> None:
    """The table: a line a design, what each route solved of it, and how long an image took. ``models``: SHA-256."""
    headers = ["design", "n"]
    for route in ROUTES:
        headers += [f"{route} solved", "95 % interval", "ms/image"]
    rows = []
    for result in results:
        row = [result.design, str(len(result.samples))]
        for score in map(result.score, ROUTES):
            row += [
                f"{score.solved} ({100 * score.accuracy:.0f} %)",
                interval(score.ci95),
                f"{score.ms_per_image:.1f}",
            ]
        rows.append(row)
    show_table(headers, rows, right=headers[1:])
    hashes = ", ".join(f"{route} {sha256[:12]}" for route, sha256 in models.items())
    click.echo(f"whole texts read correctly, upper and lower case not told apart; seed {seed}; models: {hashes}")


def save_sheet(results: Sequence[DemoResult], out: Path) -> None:
    """The picture: the first images of each design with the answers of both routes."""
    path = out / "contact-sheet.png"
    path.write_bytes(encode_png(contact_sheet([cell for result in results for cell in cells(result)], columns=SHOWN)))
    click.echo(f"contact sheet: {path}")


def cells(result: DemoResult) -> list[SheetCell]:
    """The first images of a design, each with the answers of both routes."""
    return [
        SheetCell(
            image=sample.image,
            heading=result.design,
            truth=sample.text,
            answers=tuple(_answer(route, result.trials[route][place]) for route in ROUTES),
        )
        for place, sample in enumerate(result.samples[:SHOWN])
    ]


def _answer(route: str, trial: Trial) -> SheetAnswer:
    return SheetAnswer(route, trial.solution.text, is_solved(trial, fold_case=True))


if __name__ == "__main__":
    sys.exit(run(demo, "python -m captcha_solver.cli.demo", sys.argv[1:]))
