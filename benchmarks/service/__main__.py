"""Measure the service on this machine: throughput, time of one answer, and memory over many images.

python -m benchmarks.service [--part throughput|latency] [--rounds N] [--images N] [--seconds S] [--out FOLDER]
python -m benchmarks.service --soak N [--out FOLDER]
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
from benchmarks.service import latency, soak, throughput
from benchmarks.service.pictures import DESIGN, MODEL, Pictures, batch, draw_pictures
from benchmarks.service.stack import started
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.quiet import sieved_stderr
from workers.settings import Settings

PARTS = ("throughput", "latency")
WORKERS = (1, 2)
JOBS = 4  # one behind the other: the next is sent while one is read
SOAK_JOB = 4000


@click.command()
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="What to measure; both if not given.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of throughput, service and plain in turn.")
@click.option("--images", default=2000, show_default=True, help=f"Images of a job; {JOBS} jobs a round.")
@click.option("--seconds", default=30.0, show_default=True, help="How long each load of POST /v1/solve lasts.")
@click.option("--soak", "soaked", default=0, metavar="N", help="Only send N images and watch memory.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", default=Path("runs/bench-service"), type=click.Path(path_type=Path), show_default=True)
def main(  # one parameter an option
    parts: tuple[str, ...], rounds: int, images: int, seconds: float, soaked: int, seed: int, out: Path
) -> None:
    """Print tables; write results.json, or soak.json. Ends with 1 where a figure misses what is wanted of it."""
    try:
        writable_folder(out)
        pictures = draw_pictures(seed)
        results: dict[str, Any] = {"machine": machine(), "seed": seed, "design": DESIGN, "model": MODEL}
        verdicts: list[bool] = []
        if soaked:
            verdicts += _soak(pictures, min(SOAK_JOB, max(soaked // 20, 1)), soaked, results)
        else:
            if not parts or "throughput" in parts:
                verdicts += _throughput(pictures, images, rounds, results)
            if not parts or "latency" in parts:
                verdicts += _latency(pictures, seconds, seed, results)
        path = out / ("soak.json" if soaked else "results.json")
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")
        click.echo(f"{path}")
    except CaptchaSolverError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(3)
    sys.exit(0 if all(verdicts) else 1)


def _throughput(pictures: Pictures, images: int, rounds: int, results: dict[str, Any]) -> list[bool]:
    rates, raw = [], {}
    for workers in WORKERS:
        click.echo(f"throughput, {workers} workers", err=True)
        with started(_settings(workers)) as stack:
            found = throughput.measure(stack, batch(pictures, images, np.random.default_rng(1)), JOBS, rounds)
        rates.append(throughput.rate(workers, found))
        raw[workers] = [asdict(each) for each in found]
    click.echo(f"## Throughput, {rounds} rounds in turn\n\n{throughput.table(rates)}\n")
    results["throughput"] = {"rates": [asdict(each) for each in rates], "rounds": raw, "wanted": throughput.WANTED}
    return [each.good for each in rates]


def _latency(pictures: Pictures, seconds: float, seed: int, results: dict[str, Any]) -> list[bool]:
    with started(_settings(max(WORKERS))) as stack:
        click.echo("capacity of POST /v1/solve", err=True)
        per_s = latency.capacity(stack, pictures, max(seconds / 3, 1.0))
        loads = []
        for share in latency.SHARES:
            click.echo(f"POST /v1/solve at {100 * share:.0f} % of {per_s:.0f} requests/s", err=True)
            loads.append(latency.at_load(stack, pictures, share, (per_s, seconds, seed)))
    click.echo(f"## POST /v1/solve, {max(WORKERS)} workers\n\n{latency.table(per_s, loads)}\n")
    results["latency"] = {"capacity_per_s": per_s, "loads": [asdict(each) for each in loads]}
    return [bool(each.good) for each in loads if each.good is not None]


def _soak(pictures: Pictures, job: int, images: int, results: dict[str, Any]) -> list[bool]:
    with started(_settings(max(WORKERS))) as stack:
        click.echo(f"soaking {images:,} images in jobs of {job:,}", err=True)
        samples = soak.soak(stack, batch(pictures, job, np.random.default_rng(1)), images)
    rows: Sequence[soak.Trend] = soak.trends(samples, images)
    click.echo(f"## {images:,} images in jobs of {job:,}\n\n{soak.table(rows)}\n")
    results["soak"] = {
        "images": images,
        "trends": [asdict(each) | {"flat": each.flat} for each in rows],
        "samples": [asdict(each) for each in samples],
    }
    return [each.flat for each in rows]


def _settings(workers: int) -> Settings:
    return Settings(workers=workers, audit_workers=0, models=(MODEL,))


if __name__ == "__main__":
    with sieved_stderr():
        main()
