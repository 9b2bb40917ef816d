"""Time captcha-solver's parts on this machine.

python -m benchmarks.speed [FOLDER] [--passes N] [--images N] [--part stages|network|drawer] [--out FOLDER]
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.speed import drawer, network, stages
from captcha_solver.dataset import read_folder, writable_folder
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.image import encode_png
from captcha_solver.quiet import sieved_stderr

PARTS = ("stages", "network", "drawer")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--passes", default=5, show_default=True, help="Timed passes; the median is shown.")
@click.option("--images", default=128, show_default=True, help="Images for the stages; the drawer draws 16 times that.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="What to time; all of it if not given.")
@click.option("--out", default=Path("runs/bench-speed"), type=click.Path(path_type=Path), show_default=True)
def main(folder: Path | None, passes: int, images: int, parts: tuple[str, ...], out: Path) -> None:
    """Print tables; write results.json and growth.png. Without a FOLDER, images of ``classic`` are drawn."""
    try:
        writable_folder(out)
        results: dict[str, Any] = {"machine": machine(), "passes": passes}
        if not parts or "stages" in parts:
            encoded = _encoded(folder, images)
            rows = [_told(row) for row in stages.stages(encoded, passes=passes)]
            click.echo(f"## Stages, {len(encoded)} images\n\n{stages.table(rows)}\n")
            results["stages"] = [asdict(row) for row in rows]
        if not parts or "network" in parts:
            loads, peak = network.growth(passes), network.peak_gflops(passes)
            click.echo(f"## Network\n\n{network.table(loads, peak)}\n")
            results["network"] = {"peak_gflops": peak, "loads": [asdict(load) for load in loads]}
            picture(loads, out / "growth.png")
        if not parts or "drawer" in parts:
            rates = drawer.rates(16 * images, passes)
            click.echo(f"## Drawer\n\n{drawer.table(rates)}\n")
            results["drawer"] = [asdict(rate) for rate in rates]
        (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        click.echo(f"{out / 'results.json'}")
    except CaptchaSolverError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(3)


def _told(row: stages.Stages) -> stages.Stages:
    """The row, after a line on stderr: all of them take some minutes."""
    click.echo(f"{row.model} {row.runtime}, {row.threads} threads, batch {row.batch}", err=True)
    return row


def _encoded(folder: Path | None, count: int) -> list[bytes]:
    if folder is not None:
        return [sample.image for sample in read_folder(folder, limit=count)]
    drawings = draw_batch(load_design("classic"), [None] * count, np.random.default_rng(977))
    return [encode_png(drawing.image) for drawing in drawings]


def picture(loads: Sequence[network.Load], path: Path) -> None:
    """Milliseconds an image against width, batch and classes, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    for panel, by in zip(axes, ("width", "batch", "classes"), strict=True):
        for what in dict.fromkeys(load.what for load in loads if load.what.endswith(by)):
            rows = [load for load in loads if load.what == what]
            panel.plot([getattr(row, by) for row in rows], [row.ms for row in rows], "o-", label=what.split(",")[0])
        panel.set(xlabel={"width": "strip width, px", "batch": "batch", "classes": "classes"}[by], ylim=(0, None))
        panel.set(ylabel="ms an image", xscale="linear" if by == "width" else "log")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    with sieved_stderr():
        main()
