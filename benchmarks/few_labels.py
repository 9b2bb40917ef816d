"""Fine-tune on N labels of each folder and score on its other images: how fast a design falls to a few labels.

python -m benchmarks.few_labels FOLDER... [--labels N]... [--minutes M] [--limit N] [--out FOLDER]

A bundle that is there already is not trained again, so that a long run can be cut off and resumed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.machine import machine
from captcha_solver.dataset import read_folder, writable_folder
from captcha_solver.models.bundle import MANIFEST
from captcha_solver.quiet import sieved_stderr
from captcha_solver.score import run_trials, score_trials
from captcha_solver.solver import load_solver
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.training.sources import folder_samples
from captcha_solver.types import Sample


@dataclass(frozen=True, slots=True)
class Figure:
    """Of ``n`` images that were not trained on, the share read correctly, case folded, with its 95 % interval."""

    folder: str
    labels: int
    n: int
    accuracy: float
    ci95: tuple[float, float]


def others(folder: Path, labels: int, limit: int) -> list[Sample]:
    """The first ``limit`` images of the folder that a training with ``labels`` labels does not see."""
    seen = {sample.id for part in folder_samples(str(folder), labels) for sample in part} if labels else set()
    return [sample for sample in read_folder(folder) if sample.id not in seen][:limit]


def figure(folder: Path, labels: int, model: str | Path, limit: int) -> Figure:
    """Score ``model`` on what it has not seen of ``folder``."""
    rest = others(folder, labels, limit)
    score = score_trials(folder.name, run_trials(load_solver(model), rest), fold_case=True)
    return Figure(folder.name, labels, score.n, score.accuracy, score.ci95)


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table: a row a folder, a column for each number of labels, and the means."""
    counts = sorted({each.labels for each in figures})
    names = list(dict.fromkeys(each.folder for each in figures))
    cells = {(each.folder, each.labels): each for each in figures}
    lines = ["| images | " + " | ".join(f"{count} labels" for count in counts) + " |"]
    lines.append("|---|" + "---:|" * len(counts))
    for name in names:
        row = [cells.get((name, count)) for count in counts]
        lines.append(f"| {name} | " + " | ".join(_cell(each) for each in row) + " |")
    means = []
    for count in counts:
        found = [cells[name, count].accuracy for name in names if (name, count) in cells]
        means.append(f"{100 * sum(found) / len(found):.1f}" if len(found) == len(names) else "")
    return "\n".join([*lines, "| mean | " + " | ".join(means) + " |"])


def _cell(each: Figure | None) -> str:
    if each is None:
        return ""
    low, high = each.ci95
    return f"{100 * each.accuracy:.1f} ({100 * low:.1f}-{100 * high:.1f})"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", "counts", multiple=True, type=click.IntRange(min=5), default=(20, 100), show_default=True)
@click.option("--minutes", default=10.0, show_default=True, help="For each training.")
@click.option("--limit", default=500, show_default=True, help="Images of each folder to score on.")
@click.option("--out", default=Path("runs/few-labels"), type=click.Path(path_type=Path), show_default=True)
def main(folders: tuple[Path, ...], counts: tuple[int, ...], minutes: float, limit: int, out: Path) -> None:
    """Print a table and write results.json; it is written anew after each training."""
    writable_folder(out)
    figures: list[Figure] = []
    for count in (0, *sorted(counts)):
        for folder in folders:
            bundle = out / f"{folder.name}-{count}"
            if count and not (bundle / MANIFEST).exists():
                run(TrainRequest((str(folder),), bundle, "sliding", "sliding", count, TrainOptions(minutes=minutes)))
            figures.append(figure(folder, count, bundle if count else "sliding", limit))
            written = {"machine": machine(), "minutes": minutes, "figures": [asdict(each) for each in figures]}
            (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
            click.echo(f"{folder.name}, {count} labels: {_cell(figures[-1])}", err=True)
    click.echo(table(figures))


if __name__ == "__main__":
    with sieved_stderr():
        main()
