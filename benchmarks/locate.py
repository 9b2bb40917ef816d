"""Where the text of drawn images is found, against where it was drawn: a row a design.

python -m benchmarks.locate [DESIGN...] [--count N] [--seed N] [--out FOLDER]

A glyph pixel is one that the drawer's ``owners`` give to a glyph. They follow every warp of the picture; what a shadow,
a relief or hairs draw beside a glyph is not in them, and what dots, bites or cuts took out of one still is.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from captcha_solver.dataset import writable_folder
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import CHUNK, Drawing, draw_batch
from captcha_solver.designs.load import builtin_designs, load_design
from captcha_solver.quiet import sieved_stderr
from captcha_solver.statistics import wilson
from captcha_solver.types import Box, Rgb

Owners: TypeAlias = NDArray[np.uint8]
"""(H, W): 0 where no glyph is."""
Find: TypeAlias = Callable[[Rgb], list[Box]]

INSIDE = 0.99  # of an image's glyph pixels: then its text counts as found
FOUND = 0.99  # of a design's images that must be
TALLEST = 1.4  # the median region, in heights of the text in it, at most


@dataclass(frozen=True, slots=True)
class LocateTrial:
    """One image that has glyph pixels: ``covered`` and ``height_ratio`` of its ``regions``, found in ``ms``."""

    covered: float
    height_ratio: float
    regions: int
    ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One design: ``found`` is the share of its ``n`` images with nearly all of their glyph pixels inside."""

    design: str
    n: int
    found: float
    ci95: tuple[float, float]
    covered_median: float
    covered_p1: float
    height_ratio: float
    regions: float
    ms: float

    @property
    def met(self) -> bool:
        return self.found >= FOUND and self.height_ratio <= TALLEST


def covered(owners: Owners, boxes: Sequence[Box]) -> float:
    """The share of the glyph pixels that lies in any of ``boxes``; nan where there are none."""
    total = np.count_nonzero(owners)
    if total == 0:
        return math.nan
    outside = owners.copy()
    for box in boxes:
        outside[box.top_px : box.bottom_px, box.left_px : box.right_px] = 0
    return 1 - np.count_nonzero(outside) / total


def height_ratio(owners: Owners, boxes: Sequence[Box]) -> float:
    """The heights of ``boxes`` over those of the text in them, from its first row of glyph pixels to its last.

    nan where the image has no glyph pixels, infinite where no box has any.
    """
    if not owners.any():
        return math.nan
    text = sum(_text_height(owners[box.top_px : box.bottom_px, box.left_px : box.right_px]) for box in boxes)
    return sum(box.height_px for box in boxes) / text if text else math.inf


def _text_height(owners: Owners) -> int:
    rows = np.flatnonzero(owners.any(axis=1))
    return int(rows[-1]) + 1 - int(rows[0]) if len(rows) else 0


def trial(drawing: Drawing, find: Find) -> LocateTrial | None:
    """What ``find`` makes of one image; None where no glyph pixel is left in it."""
    if drawing.owners is None or not drawing.owners.any():
        return None
    start = time.perf_counter()
    boxes = find(drawing.image)
    ms = 1e3 * (time.perf_counter() - start)
    return LocateTrial(covered(drawing.owners, boxes), height_ratio(drawing.owners, boxes), len(boxes), ms)


def summary(design: str, trials: Sequence[LocateTrial]) -> Row:
    """The figures of one design; ``trials`` must not be empty."""
    shares = [each.covered for each in trials]
    found = sum(share >= INSIDE for share in shares)
    return Row(
        design,
        len(trials),
        found / len(trials),
        wilson(found, len(trials)),
        float(np.median(shares)),
        float(np.percentile(shares, 1)),
        float(np.median([each.height_ratio for each in trials])),
        float(np.median([each.regions for each in trials])),
        float(np.median([each.ms for each in trials])),
    )


def drawn(design: Design, count: int, seed: int) -> list[Drawing]:
    """``count`` images of ``design`` with their owners."""
    drawings: list[Drawing] = []
    for chunk, start in enumerate(range(0, count, CHUNK)):
        texts = [None] * min(CHUNK, count - start)
        drawings += draw_batch(design, texts, np.random.default_rng([seed, chunk]), owners=True)
    return drawings


def table(rows: Sequence[Row]) -> str:
    """Markdown, a row a design, then a line that names the designs that miss."""
    lines = [
        "| design | n | images with >= 99 % inside, % (95 %) | median inside, % | 1st percentile, % | height ratio | "
        "regions | ms | met |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.design} | {row.n} | {100 * row.found:.1f} ({100 * row.ci95[0]:.1f}-{100 * row.ci95[1]:.1f}) | "
        f"{100 * row.covered_median:.1f} | {100 * row.covered_p1:.1f} | {row.height_ratio:.2f} | {row.regions:g} | "
        f"{row.ms:.2f} | {'yes' if row.met else 'no'} |"
        for row in rows
    ]
    missed = [row.design for row in rows if not row.met]
    return "\n".join([*lines, "", f"{len(missed)} of {len(rows)} miss: {', '.join(missed) or 'none'}"])


def library() -> Find:
    """How the library finds the text: the one place to change when that has another name."""
    from captcha_solver.locate.regions import locate

    return lambda image: list(locate(image).lines)


def drawable() -> list[str]:
    """The built-in designs that are drawn, not commands."""
    return [name for name in builtin_designs() if load_design(name).command is None]


@click.command()
@click.argument("designs", nargs=-1)
@click.option("--count", default=200, show_default=True, type=click.IntRange(min=1), help="Images of each design.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--out", type=click.Path(path_type=Path), help="Write results.json there.")
def main(designs: tuple[str, ...], count: int, seed: int, out: Path | None) -> None:
    """Print a table of how well the text is found in each of DESIGNS; else in every built-in one that is drawn."""
    cv2.setNumThreads(1)
    if out is not None:
        writable_folder(out)
    find, rows = library(), []
    for name in designs or drawable():
        found = [trial(drawing, find) for drawing in drawn(load_design(name), count, seed)]
        trials = [each for each in found if each is not None]
        if not trials:
            click.echo(f"{name}: no image has a glyph pixel: left out", err=True)
            continue
        rows.append(summary(name, trials))
    click.echo(table(rows))
    if out is not None:
        written = {"machine": machine(), "count": count, "seed": seed, "rows": [asdict(row) for row in rows]}
        (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    with sieved_stderr():
        main()
