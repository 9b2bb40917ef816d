"""Train the same network for equally many steps, each time with one step of the recipe more, and compare.

python -m benchmarks.recipes [FOLDER...] [--steps N] [--from NAME|PATH] [--only NAME]... [--out FOLDER]

Scored, with case folded, on new images of designs that were not trained on, of ``wild`` and, where they are given, on
folders with labels.csv. Differences are paired, image by image, from the training without any of these steps. Some
steps need KERAS_BACKEND=torch. A bundle that is there already is not trained again: a long run can be cut off.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from captcha_solver.dataset import read_folder, writable_folder
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import MANIFEST, load_bundle
from captcha_solver.quiet import sieved_stderr
from captcha_solver.recognizers import bundle_path
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.solver import load_solver
from captcha_solver.texts import same_text
from captcha_solver.training.loop import train
from captcha_solver.training.recipes.recipe import Recipe
from captcha_solver.training.task import TrainSettings
from captcha_solver.training.tasks.sliding import SlidingTask

NONE = Recipe(widened=0, shifted=0)
RECIPES: dict[str, Recipe] = {
    "none": NONE,
    "widened 0.7 to 1.4": replace(NONE, widened=0.5),
    "edges of the region moved": replace(NONE, shifted=0.05),
    "two images joined": replace(NONE, joined=0.15),
    "easy and hopeless left out": replace(NONE, sieved=0.7),
    "two views agree": replace(NONE, consistent=0.2),
    "self-distilled (DCTC)": replace(NONE, aligned=0.025),
    "guide head": replace(NONE, guided=0.1),
    "strips of 48 rows": NONE,
}
STRIPS = {"strips of 48 rows": 48}
SOURCES = (
    *("wild:24", "outline", "arcade:0.7", "duotone:0.7", "collage:0.9", "crowded:0.7", "ripple:0.8", "night:0.4"),
    *("beads:0.6", "note:0.5", "tilted:0.5", "plain:0.3", "typewriter:0.3", "confetti:0.4", "classic:0.4"),
)
FAMILIES = ("ledger", "mosaic", "phantom", "gauntlet")
SEED = 987_654_324  # no training seed draws from this stream

Images = list[tuple[bytes, str]]
Right = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecipeOutcome:
    """One training: the share right of each group of images, and which images were right."""

    name: str
    seconds: float
    right: Mapping[str, Right]


def drawn(name: str, count: int) -> Images:
    """New images of a design with their texts."""
    drawings = draw_batch(load_design(name), [None] * count, np.random.default_rng(SEED))
    return [(encode_png(each.image), each.text) for each in drawings]


def labelled(folder: Path, limit: int) -> Images:
    """The first ``limit`` labelled images of a folder."""
    return [(sample.image, sample.text) for sample in read_folder(folder)][:limit]


def trained(name: str, start: str, steps: int, out: Path) -> float:
    """Train with a recipe into ``out``, where that is not done; the seconds that it took."""
    if not (out / MANIFEST).is_file():
        bundle = load_bundle(bundle_path(start))
        task = SlidingTask.from_sources(
            SOURCES, labels=None, batch=48, workers=1, start=bundle, network="deep", recipe=RECIPES[name]
        )
        if name in STRIPS:
            task.slide = SlideSettings(strip_px=STRIPS[name])
        settings = TrainSettings(batch=48, learning_rate=5e-4, max_steps=steps, seed=1, recipe=RECIPES[name])
        train(task, out, settings, start_from=bundle, int8=False)
    return 60 * float(load_bundle(out).card["training"]["minutes"])


def scored(bundle: str, groups: Mapping[str, Images]) -> dict[str, Right]:
    """Which images of each group are read correctly, case folded, in one view."""
    solver = load_solver(bundle, runtime="onnx", views=1)
    right = {}
    for name, images in groups.items():
        solutions = solver.solve_batch([image for image, _ in images])
        right[name] = np.array(
            [same_text(t, s.text, fold_case=True) for s, (_, t) in zip(solutions, images, strict=True)]
        )
    return right


def difference(ours: Sequence[Right], theirs: Sequence[Right]) -> tuple[float, float]:
    """Mean over the groups of ours minus theirs, and the half width of its 95 % interval; both in per cent."""
    apart = [a.astype(float) - b for a, b in zip(ours, theirs, strict=True)]
    mean = float(np.mean([each.mean() for each in apart]))
    variance = sum(each.var(ddof=1) / len(each) for each in apart) / len(apart) ** 2
    return 100 * mean, 100 * 1.96 * float(np.sqrt(variance))


def table(outcomes: Sequence[RecipeOutcome], families: Sequence[str]) -> str:
    """Markdown, a row a recipe; the first is what the others are compared with."""
    first = outcomes[0]
    parts = {
        "families": list(families),
        "wild": ["wild"],
        "sets": [g for g in first.right if g not in (*families, "wild")],
    }
    shown = {part: groups for part, groups in parts.items() if groups}
    head = " | ".join(f"{part}, % | difference" for part in shown)
    lines = [f"| step | s | {head} |", "|---|---:|" + "---:|---:|" * len(shown)]
    for outcome in outcomes:
        cells = []
        for groups in shown.values():
            ours, theirs = [outcome.right[g] for g in groups], [first.right[g] for g in groups]
            apart, half = difference(ours, theirs)
            share = 100 * float(np.mean([each.mean() for each in ours]))
            cells.append(f"{share:.1f} | " + ("" if outcome is first else f"{apart:+.1f} ± {half:.1f}"))
        lines.append(f"| {outcome.name} | {outcome.seconds:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--steps", default=2000, show_default=True, type=click.IntRange(min=1), help="Of 48 images each.")
@click.option("--from", "start", default="sliding", show_default=True, metavar="NAME|PATH")
@click.option("--only", multiple=True, type=click.Choice(list(RECIPES)), help="These alone, and none.")
@click.option("--count", default=300, show_default=True, type=click.IntRange(min=2), help="Images of each design.")
@click.option("--limit", default=300, show_default=True, type=click.IntRange(min=2), help="Images of each folder.")
@click.option("--out", default=Path("runs/recipes"), show_default=True, type=click.Path(path_type=Path))
def main(
    folders: tuple[Path, ...], steps: int, start: str, only: tuple[str, ...], count: int, limit: int, out: Path
) -> None:
    """Print a table of what each step of the recipe brings."""
    writable_folder(out)
    groups = {name: drawn(name, count) for name in FAMILIES} | {"wild": drawn("wild", 3 * count)}
    groups |= {folder.name: labelled(folder, limit) for folder in folders}
    outcomes = []
    for name in RECIPES:
        if only and name not in ("none", *only):
            continue
        bundle = out / name.replace(" ", "-")
        seconds = trained(name, start, steps, bundle)
        outcomes.append(RecipeOutcome(name, seconds, scored(str(bundle), groups)))
        click.echo(f"{time.strftime('%H:%M')} {name}: done", err=True)
    click.echo(table(outcomes, FAMILIES))
    shares = [
        {"name": o.name, "seconds": o.seconds, **{g: float(r.mean()) for g, r in o.right.items()}} for o in outcomes
    ]
    recipes = {name: asdict(recipe) for name, recipe in RECIPES.items()}
    written = {"machine": machine(), "steps": steps, "start": start, "recipes": recipes, "rows": shares}
    (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    with sieved_stderr():
        main()
