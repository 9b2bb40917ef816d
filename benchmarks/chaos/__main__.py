"""Break the service while it works, and count what is lost or answered twice.

python -m benchmarks.chaos [--rounds N] [--images N] [--seed N] [--scenarios NAME,...] [--quick] [--out FOLDER]
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.chaos import rounds as jobs
from benchmarks.chaos.rounds import Round, run_round
from benchmarks.chaos.scenarios import SCENARIOS, Outcome, Setting, run_scenario, table
from benchmarks.machine import machine
from benchmarks.service.pictures import DESIGN, MODEL, Pictures, batch, draw_pictures
from benchmarks.service.stack import Stack, started
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import CaptchaSolverError, OptionError
from captcha_solver.quiet import sieved_stderr
from workers.settings import Settings

KILLS = "kills"
QUICK_IMAGES, QUICK_AWAY_S = 2_000, 5.0


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Jobs under fire.")
@click.option("--images", default=20_000, show_default=True, help="Images of each.")
@click.option("--seed", default=0, show_default=True, help="Draws the images and the faults.")
@click.option("--workers", default=2, show_default=True)
@click.option("--scenarios", default="all", show_default=True, help=f"By commas: {KILLS}, {', '.join(SCENARIOS)}.")
@click.option("--away", "away_s", default=60.0, show_default=True, help="Seconds that Redis is away in that scenario.")
@click.option("--quick", is_flag=True, help=f"One round, {QUICK_IMAGES:,} images, Redis away {QUICK_AWAY_S:g} s.")
@click.option("--verbose", is_flag=True, help="Show the log lines of workers and API.")
@click.option("--out", default=Path("runs/bench-chaos"), type=click.Path(path_type=Path), show_default=True)
def main(  # one parameter an option
    rounds: int,
    images: int,
    seed: int,
    workers: int,
    scenarios: str,
    away_s: float,
    quick: bool,
    verbose: bool,
    out: Path,
) -> None:
    """Print tables; write results.json. Ends with 1 where an answer was lost, doubled or wrong."""
    if quick:
        rounds, images, away_s = 1, QUICK_IMAGES, QUICK_AWAY_S
    try:
        chosen = _chosen(scenarios)
        writable_folder(out)
        pictures = draw_pictures(seed)
        settings = Settings(
            workers=workers, audit_workers=0, models=(MODEL,), max_stored=images, max_files=max(images, 1000)
        )
        results: dict[str, Any] = {"machine": machine(), "seed": seed, "workers": workers, "design": DESIGN}
        with started(settings, quiet=not verbose) as stack:
            done = _rounds(stack, pictures, (seed, images), rounds if KILLS in chosen else 0)
            outcomes = _others(Setting(stack, pictures, np.random.default_rng([seed, 1]), images, away_s), chosen)
        if done:
            click.echo(f"## Jobs under fire\n\n{jobs.table(done)}\n")
        if outcomes:
            click.echo(f"## Other faults\n\n{table(outcomes)}\n")
        good = all(each.good for each in done) and all(each.good for each in outcomes)
        results |= {
            "rounds": [jobs.document(each) for each in done],
            "scenarios": [asdict(each) for each in outcomes],
            "good": good,
        }
        (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        click.echo(f"{out / 'results.json'}")
    except CaptchaSolverError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(3)
    sys.exit(0 if good else 1)


def _chosen(scenarios: str) -> list[str]:
    known = [KILLS, *SCENARIOS]
    names = known if scenarios == "all" else [each.strip() for each in scenarios.split(",")]
    if unknown := [each for each in names if each not in known]:
        raise OptionError(f"expected scenarios among all, {', '.join(known)}, received {', '.join(unknown)}")
    return names


def _rounds(stack: Stack, pictures: Pictures, drawn: tuple[int, int], rounds: int) -> list[Round]:
    seed, images = drawn
    done = []
    for number in range(rounds):
        rng = np.random.default_rng([seed, 0, number])
        done.append(run_round(stack, batch(pictures, images, rng), rng))
        verdict = done[-1].verdict
        click.echo(
            f"round {number + 1} of {rounds}: {done[-1].took_s:.0f} s, {verdict.lost} lost, {verdict.doubled} doubled",
            err=True,
        )
    return done


def _others(setting: Setting, chosen: Sequence[str]) -> list[Outcome]:
    outcomes = []
    for name in SCENARIOS:
        if name in chosen:
            click.echo(f"scenario: {name}", err=True)
            outcomes.append(run_scenario(name, setting))
    return outcomes


if __name__ == "__main__":
    with sieved_stderr():
        main()
