"""Compare captcha-solver with its peers on labelled folders.

python -m benchmarks.peers [FOLDER...] [--limit N] [--rounds N] [--timed N] [--only NAME] [--out FOLDER]
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from benchmarks.peers.contenders import ROOT, Contender, contenders
from benchmarks.peers.flat import flattened
from benchmarks.peers.measure import Labelled, Round, answers, one_round
from benchmarks.peers.report import YARDSTICK, Rate, document, picture, rate, result, table, worth
from benchmarks.peers.sureness import PeerAnswer, Sureness
from captcha_solver.dataset import inspect_folder, writable_folder
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.quiet import sieved_stderr

DRAWN = {  # what is compared where no folder is given: design -> its options
    "captcha-4": ("pypi_captcha.py", "--charset", "digits", "--length", "4"),
    "captcha-6": ("pypi_captcha.py", "--charset", "alnum", "--length", "6", "--width", "240", "--height", "80"),
    "wheezy": ("wheezy_captcha.py",),
}
DRAWN_IMAGES = 200


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--limit", default=500, show_default=True, help="Images of each folder, the first ones.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of timing, all readers in turn.")
@click.option("--timed", default=128, show_default=True, help="Images timed in a round, of the first folder.")
@click.option("--only", multiple=True, help="Part of the name of the readers to run; repeatable.")
@click.option("--out", default=Path("runs/bench-peers"), type=click.Path(path_type=Path), show_default=True)
def main(folders: tuple[Path, ...], limit: int, rounds: int, timed: int, only: tuple[str, ...], out: Path) -> None:
    """Print three tables; write results.json and results.png. Without a FOLDER, a few hundred images are drawn."""
    try:
        writable_folder(out)
        sets = [labelled(folder, limit) for folder in folders or _drawn(out)]
        chosen = [each for each in contenders() if not only or any(part in each.name for part in only)]
        missing = [f"{each.name}: {each.missing}" for each in chosen if each.missing]
        for line in missing:
            click.echo(f"left out: {line}", err=True)
        with tempfile.TemporaryDirectory() as folder:
            sets = [
                replace(each, flat=flattened(each.paths, Path(folder) / str(number)))
                for number, each in enumerate(sets)
            ]
            _compare([each for each in chosen if not each.missing], sets, (rounds, timed), (out, missing))
    except CaptchaSolverError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(3)


def labelled(folder: Path, limit: int) -> Labelled:
    """The first ``limit`` images of a folder with ``labels.csv``."""
    data = inspect_folder(folder, limit=limit)
    found = [sample for sample in data.samples if sample.id not in data.missing]
    paths = tuple((folder / sample.id).resolve() for sample in found)
    return Labelled(data.name, paths, tuple(sample.text for sample in found), data.sha256)


def _drawn(out: Path) -> list[Path]:
    """Folders drawn with the package's and another's generator; seeds that no shipped model was trained on."""
    folders = []
    for name, (program, *options) in DRAWN.items():
        folder = out / "drawn" / name
        if not (folder / "labels.csv").exists():
            command = [sys.executable, str(ROOT / "datasets" / "external" / program), *options]
            subprocess.run(
                [*command, "--count", str(DRAWN_IMAGES), "--seed", "977", "--out", str(folder)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        folders.append(folder)
    return folders


def _compare(
    readers: list[Contender], sets: list[Labelled], amount: tuple[int, int], to: tuple[Path, list[str]]
) -> None:
    (count, timed), (out, missing) = amount, to
    console = Console(stderr=True)
    images = min(timed, len(sets[0].paths))
    read = {each.name: answers(each, sets) for each in track(readers, "reading", console=console, transient=True)}
    rounds: dict[str, list[Round]] = {each.name: [] for each in readers}
    for _ in track(range(count), "timing", console=console, transient=True):
        for each in readers:  # in turn, so that all meet the same machine
            rounds[each.name].append(one_round(each, sets[0].given_to(each)[:timed]))
    results = [
        result(each, _figures(sets, read[each.name]), rounds[each.name], rounds.get(YARDSTICK)) for each in readers
    ]
    click.echo(table(results))
    click.echo(f"\n{count} rounds in turn, one thread, {images} images of {sets[0].name} timed in each")
    written = document(results, sets, rounds, missing)
    (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
    picture(results, out / "results.png")
    click.echo(f"{out / 'results.json'}, {out / 'results.png'}")


def _figures(sets: list[Labelled], read: list[list[PeerAnswer]]) -> tuple[list[Rate], Sureness | None]:
    rates = [rate(one, [answer.text for answer in some]) for one, some in zip(sets, read, strict=True)]
    return rates, worth(sets, read)


if __name__ == "__main__":
    with sieved_stderr():
        main()
