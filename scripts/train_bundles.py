"""From nothing to the shipped bundles: draw the folders, then train stage after stage.

    python -m scripts.train_bundles [NAME...] --out FOLDER [--scale 1.0] [--mnist FOLDER] [--install]

The same command resumes it: a stage that is done is skipped, one that was cut off starts again from its last
checkpoint, two minutes back at most. A stage is done when FOLDER/NAME holds a bundle. The sliding stages take
more than a day on two cores; with --more N the last one is repeated N times with other seeds. They cut images with
the locator that is installed: install a new one first.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from captcha_solver.models.bundle import LOCATOR, MANIFEST, PRETRAINED
from captcha_solver.quiet import sieved_stderr

PICTURES = Path(__file__).parents[1] / "datasets" / "external" / "pypi_captcha.py"


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """A folder of the PyPI package's pictures to draw."""

    name: str
    count: int
    how: str

    def command(self, out: Path, scale: float) -> list[str]:
        count = str(max(20, round(self.count * scale)))
        return [
            sys.executable,
            str(PICTURES),
            "--processes",
            "2",
            "--count",
            count,
            "--out",
            str(out),
            *self.how.split(),
        ]


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """One training: ``sources`` that name a folder of pictures begin with ``@``; ``start`` is an earlier stage."""

    name: str
    sources: str
    minutes: float
    how: str
    start: str | None = None

    def names(self) -> list[str]:
        return self.sources.split()

    def command(self, out: Path, scale: float) -> list[str]:
        folder = out.parent
        sources = [str(folder / "pictures" / each[1:]) if each.startswith("@") else each for each in self.names()]
        began = [] if self.start is None else ["--from", str(folder / self.start)]
        minutes = f"{max(self.minutes * scale, 0.05):g}"
        how = [*self.how.split(), *began, "--minutes", minutes, "--out", str(out)]
        return [sys.executable, "-m", "captcha_solver.cli.main", "train", *sources, *how]


PICTURE_FOLDERS = (
    PictureFolder("lower4", 24_000, "--seed 101 --charset lower+digits --length 4 --width 160 --height 60"),
    PictureFolder("digits4", 8_000, "--seed 102 --charset digits --length 4 --width 160 --height 60"),
    PictureFolder("alnum6", 24_000, "--seed 103 --charset alnum --length 6 --width 240 --height 80"),
)
# Without ledger, mosaic, phantom and gauntlet: how those are read tells how designs are read that were not trained on.
DESIGNS = (
    "outline arcade:0.7 duotone:0.7 collage:0.9 crowded:0.7 ripple:0.8 night:0.4 beads:0.6 note:0.5 tilted:0.5 "
    "plain:0.3 typewriter:0.3 confetti:0.4 double-deck:0.4 classic:0.4"
)
EVERY_DESIGN = (
    "plain:0.25 classic:0.2 collage:0.15 crowded:0.15 confetti:0.15 ripple:0.25 night:0.15 beads:0.2 note:0.25 "
    "tilted:0.15 typewriter:0.15 double-deck:0.25 duotone:0.3 outline:0.4 arcade:0.3 gauntlet:0.1 ledger:0.15 "
    "mosaic:0.15 phantom:0.2"
)
PACKAGE = "@alnum6:2 @lower4:2 @digits4:0.6"
GLYPHS = "classic:4 plain note:1.5 typewriter tilted night duotone collage crowded:0.5 wild:2"
MORE_GLYPHS = (
    "@digits4:2.5 @lower4:2.5 @alnum6 classic:2 beads:3 plain:0.3 note:0.7 typewriter:0.3 tilted:0.3 night:0.4 "
    "duotone:0.4 arcade:0.3 collage:0.7 crowded:0.5 wild:1.8"
)
STAGES = (
    TrainingStage("locator", f"wild:7 {EVERY_DESIGN}", 40, "--route locator --seed 5"),
    TrainingStage("sliding-easy", f"wild:8 {PACKAGE} {DESIGNS}", 240, "--network deep --batch 48 --seed 1"),
    TrainingStage(
        "sliding-wide",
        f"wild:24 {PACKAGE} {DESIGNS}",
        1440,
        "--batch 48 --learning-rate 8e-4 --seed 2 --recipe joined=0.15 --recipe sieved=0.7",
        start="sliding-easy",
    ),
    TrainingStage(
        "sliding",
        f"wild:24 {PACKAGE} {DESIGNS}",
        480,
        "--batch 48 --learning-rate 4e-4 --seed 3 --recipe joined=0.15 --recipe sieved=0.7",
        start="sliding-wide",
    ),
    TrainingStage("segmented-easy", GLYPHS, 13, "--route segmented --batch 128 --seed 1"),
    TrainingStage(
        "segmented",
        MORE_GLYPHS,
        40,
        "--route segmented --batch 128 --learning-rate 8e-4 --seed 2",
        start="segmented-easy",
    ),
)
DIGITS = (
    TrainingStage("digits-first", "", 11, "--route digits --learning-rate 1.2e-3 --seed 1"),
    TrainingStage("digits", "", 18, "--route digits --batch 64 --learning-rate 1e-3 --seed 2", start="digits-first"),
)
SHIPPED = {"locator": LOCATOR, **{name: PRETRAINED / name for name in ("sliding", "segmented", "digits")}}


def planned(names: Sequence[str], *, more: int, mnist: Path | None) -> list[TrainingStage]:
    """The stages that lead to the bundles of ``names`` (all of them where there are none), first things first."""
    digits = () if mnist is None else tuple(replace(stage, sources=str(mnist)) for stage in DIGITS)
    stages = [*STAGES, *digits, *_further(more)]
    wanted = set(names) or {stage.name for stage in stages}
    if "sliding" in wanted:
        wanted |= {stage.name for stage in _further(more)}
    unknown = wanted - {stage.name for stage in stages}
    if unknown:
        known = ", ".join(stage.name for stage in stages)
        raise click.UsageError(f"no stage {', '.join(sorted(unknown))}; expected some of {known} (digits need --mnist)")
    for stage in reversed(stages):
        if stage.name in wanted and stage.start:
            wanted.add(stage.start)
    return [stage for stage in stages if stage.name in wanted]


def _further(more: int) -> Iterator[TrainingStage]:
    """The last sliding stage ``more`` times again, each with a seed of its own, from the one before."""
    last = next(stage for stage in STAGES if stage.name == "sliding")
    for number in range(1, more + 1):
        start = "sliding" if number == 1 else f"sliding-{number - 1}"
        how = f"{last.how} --seed {100 + number}"  # of two seeds the later one counts
        yield replace(last, name=f"sliding-{number}", start=start, how=how)


def pictures_for(stages: Sequence[TrainingStage]) -> list[PictureFolder]:
    """The folders that any of ``stages`` trains on."""
    named = {source[1:].partition(":")[0] for stage in stages for source in stage.names() if source.startswith("@")}
    return [each for each in PICTURE_FOLDERS if each.name in named]


def run(command: Sequence[str]) -> None:
    """Run a command to its end; ``click.ClickException`` where it fails."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise click.ClickException(
            f"this ended with {done.returncode}; run the same again to resume: {' '.join(command)}"
        )


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="PictureFolder, checkpoints and bundles go there."
)
@click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Of all minutes and counts: 0.01 tries everything out.",
)
@click.option("--more", default=0, show_default=True, type=click.IntRange(min=0), help="More runs of sliding.")
@click.option(
    "--mnist", type=click.Path(path_type=Path, exists=True), help="MNIST's folder (datasets/external/mnist.py)."
)
@click.option("--install", is_flag=True, help="Put the finished bundles in place of the shipped ones.")
def main(names: tuple[str, ...], out: Path, scale: float, more: int, mnist: Path | None, install: bool) -> None:
    """Train the bundles of NAMES: locator, sliding, segmented, digits; all where none is named."""
    out = out.resolve()
    stages = planned(names, more=more, mnist=mnist)
    for pictures in pictures_for(stages):
        folder, part = out / "pictures" / pictures.name, out / "pictures" / f".{pictures.name}.part"
        if not folder.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            run(pictures.command(part, scale))
            part.rename(folder)
    for stage in stages:
        if not (out / stage.name / MANIFEST).is_file():
            click.echo(f"training {stage.name}")
            run(stage.command(out / stage.name, scale))
    made = {stage.name: out / stage.name for stage in stages if stage.name in SHIPPED}
    if "sliding" in made:  # the last of those that went on with it, and when its further views are read
        made["sliding"] = [out / stage.name for stage in stages if stage.name.startswith("sliding")][-1]
        if "views" not in json.loads((made["sliding"] / MANIFEST).read_text("utf-8")):
            run([sys.executable, "-m", "captcha_solver.training.finishing.fit_views", str(made["sliding"]), "--write"])
    if install:
        for name, bundle in made.items():
            _install(bundle, SHIPPED[name])


def _install(bundle: Path, place: Path) -> None:
    """Copy a bundle's files alone: no logs, no curves."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file in (*bundle.glob("model.*"), bundle / MANIFEST):
        shutil.copy2(file, place / file.name)
    click.echo(f"{place} is now {bundle}")


if __name__ == "__main__":
    with sieved_stderr():
        main()
