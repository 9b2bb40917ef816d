"""Leave a whole family of distortions out of a short training, and measure how much is lost on images that have it.

python -m benchmarks.families [--steps N] [--only FAMILY]... [--count N] [--out FOLDER]

Every training starts from nothing with the same network and draws ``wild``; one sees all of it, each other lacks
one family. The images that they are compared on have distortions of that family and no others. A small loss means that
what was learnt carries over to looks nobody drew. A bundle that is there already is not trained again.

Tested in ``tests/benchmarks/test_recipes.py``.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.recipes import Images, Right, difference, scored
from captcha_solver.dataset import writable_folder
from captcha_solver.designs.design import Design, Range
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.designs.write import to_toml
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import MANIFEST
from captcha_solver.quiet import sieved_stderr
from captcha_solver.training.loop import train
from captcha_solver.training.task import TrainSettings
from captcha_solver.training.tasks.sliding import SlidingTask

FAMILIES: dict[str, tuple[str, ...]] = {
    "lines and curves": (
        "lines",
        "arcs",
        "curves",
        "zigzags",
        "dotted-curves",
        "long-lines",
        "ellipses",
        "cuts",
        "strikes",
    ),
    "hatching, grids and specks": (
        "hatching",
        "fragments",
        "lattice",
        "grid",
        "dots",
        "specks",
        "salt-pepper",
        "noise",
    ),
    "broken and hollow strokes": (
        "dotted",
        "bites",
        "hollow",
        "relief",
        "hair",
        "fill",
        "shadow",
        "translucent",
        "even-odd",
    ),
    "where letters stand": (
        "scatter",
        "even-steps",
        "arc",
        "bounce",
        "spread",
        "clip",
        "overlap",
        "collapse",
        "rotate-text",
    ),
    "warps": ("wave", "perspective", "swirl", "ripple", "text-wave", "bend", "corner-warp", "skew"),
    "small and coarse print": ("crisp", "bitmap", "pixelate", "one-bit", "gif", "palette", "rescale"),
    "negatives and blocks": (
        "invert-lines",
        "invert-blocks",
        "invert-arc",
        "negative",
        "edges",
        "occlude",
        "tiles",
        "cells",
    ),
}
ALL = "all"
LIKELY = 0.35  # each distortion of a family is at least this probable in the images compared on
SEED = 987_654_325  # no training seed draws from this stream


@dataclass(frozen=True, slots=True)
class Loss:
    """Of ``n`` images with distortions of ``family`` alone, the shares read by the training with it and without it."""

    family: str
    n: int
    with_it: float
    without_it: float
    lost: float
    half_ci95: float


def without(design: Design, kinds: Sequence[str]) -> Design:
    """``design`` with no distortion of ``kinds``."""
    return replace(design, distortions=tuple(each for each in design.distortions if each.kind not in kinds))


def alone(design: Design, kinds: Sequence[str]) -> Design:
    """``design`` with the distortions of ``kinds`` alone, each likely."""
    kept = [replace(e, probability=max(e.probability, LIKELY)) for e in design.distortions if e.kind in kinds]
    style = None if design.style is None else replace(design.style, quiet_probability=0.0)
    return replace(design, distortions=tuple(kept), style=style, busy_fraction=Range(1, 1))


def images_of(design: Design, count: int) -> Images:
    """New images with their texts."""
    drawings = draw_batch(design, [None] * count, np.random.default_rng(SEED))
    return [(encode_png(each.image), each.text) for each in drawings]


def trained(source: str, steps: int, out: Path) -> Path:
    """Train from nothing on ``source`` into ``out``, where that is not done."""
    if not (out / MANIFEST).is_file():
        task = SlidingTask.from_sources([source], labels=None, batch=48, workers=1)
        settings = TrainSettings(batch=48, learning_rate=1.5e-3, max_steps=steps, seed=1)
        train(task, out, settings, int8=False)
    return out


def loss(family: str, with_it: Right, without_it: Right) -> Loss:
    """What leaving ``family`` out cost, with the paired 95 % interval."""
    lost, half = difference([with_it], [without_it])
    return Loss(family, len(with_it), float(with_it.mean()), float(without_it.mean()), lost / 100, half / 100)


def table(losses: Sequence[Loss]) -> str:
    """Markdown, a row a family."""
    lines = ["| family left out | n | trained with it, % | without it, % | lost |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {each.family} | {each.n} | {100 * each.with_it:.1f} | {100 * each.without_it:.1f} | "
        f"{100 * each.lost:+.1f} ± {100 * each.half_ci95:.1f} |"
        for each in losses
    ]
    return "\n".join(lines)


@click.command()
@click.option("--steps", default=3000, show_default=True, type=click.IntRange(min=1), help="Of 48 images each.")
@click.option("--only", multiple=True, type=click.Choice(list(FAMILIES)), help="These families alone.")
@click.option("--count", default=1000, show_default=True, type=click.IntRange(min=2), help="Images of each family.")
@click.option("--out", default=Path("runs/families"), show_default=True, type=click.Path(path_type=Path))
def main(steps: int, only: tuple[str, ...], count: int, out: Path) -> None:
    """Print a table of what is lost on each family that is left out."""
    writable_folder(out)
    wild = load_design("wild")
    complete = trained("wild", steps, out / ALL)
    losses = []
    for family in only or FAMILIES:
        kinds, name = FAMILIES[family], family.replace(" ", "-").replace(",", "")
        source = out / f"{name}.toml"
        if not source.is_file():  # a checkpoint is resumed only where its source is unchanged
            source.write_text(to_toml(replace(without(wild, kinds), name=name)), encoding="utf-8")
        lacking = trained(str(source), steps, out / name)
        groups = {family: images_of(alone(wild, kinds), count)}
        losses.append(loss(family, scored(str(complete), groups)[family], scored(str(lacking), groups)[family]))
        click.echo(f"{time.strftime('%H:%M')} {family}: done", err=True)
    click.echo(table(losses))
    rows = [{**{name: getattr(each, name) for name in Loss.__slots__}} for each in losses]
    written = {"machine": machine(), "steps": steps, "families": FAMILIES, "rows": rows}
    (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    with sieved_stderr():
        main()
