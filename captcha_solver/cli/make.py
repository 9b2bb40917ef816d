"""The commands that make and list: ``draw``, ``train``, ``designs``, ``models``, ``doctor``.

Tested in ``tests/cli/test_main.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from captcha_solver.arithmetic.expressions import ANSWERS, answer_of
from captcha_solver.charset import shown
from captcha_solver.cli.options import charset_option, takes
from captcha_solver.cli.output import DONE, NOT_ALL, complain, show_table, warn_each
from captcha_solver.dataset import unread, write_folder
from captcha_solver.designs.design import Design
from captcha_solver.errors import OptionError
from captcha_solver.image import encode_png
from captcha_solver.models.runtimes import AUTO, RUNTIMES
from captcha_solver.terminal import counting_bar
from captcha_solver.types import Sample


@click.command()
@click.argument("design", metavar="DESIGN")
@click.option("--count", required=True, type=click.IntRange(min=1), metavar="N", help="How many images.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new or empty folder; it is given the images and labels.csv.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="S")
def draw(design: str, count: int, out: Path, seed: int) -> int:
    """Draw labelled images of a design: a built-in one by name, or a TOML file.

    The same seed draws the same images.
    """
    from captcha_solver.designs.external import draw_external
    from captcha_solver.designs.load import load_design

    loaded = load_design(design)
    if loaded.command is not None:
        draw_external(loaded.command, count, out, seed)
    else:
        with counting_bar("drawing", count) as done:
            write_folder(_drawn(loaded, count, seed, done), out)
    click.echo(f"{count} images of {loaded.name} in {out}")
    return DONE


@dataclass(frozen=True, slots=True)
class TrainCommand:
    """How to train, as the command line has it."""

    route: str
    start_from: str | None
    network: str | None
    teacher: str | None
    charset: str | None
    answer: str | None
    labels: int | None
    suggest: int | None
    minutes: float | None
    steps: int | None
    batch: int | None
    learning_rate: float | None
    seed: int
    workers: int
    recipe: tuple[str, ...]


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|DESIGN...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="BUNDLE")
@click.option(
    "--route",
    type=click.Choice(["sliding", "segmented", "digits", "locator"]),
    default="sliding",
    show_default=True,
    help="What to train; digits takes one folder of single digits in MNIST's form.",
)
@click.option("--from", "start_from", metavar="NAME|PATH", help="A model or bundle to start from.")
@click.option(
    "--network",
    type=click.Choice(["base", "small", "deep"]),
    help="A sliding network: base, or with --from that of the other model, whose weights another takes where they fit.",
)
@click.option("--teacher", metavar="NAME|PATH", help="A larger sliding model to learn from as well (distillation).")
@charset_option("The characters of the texts, as solve takes them; without it those of labels and designs.")
@click.option(
    "--answer",
    type=click.Choice(ANSWERS),
    help="result: labels are the results of sums, as 7 for 3+4=?; the sums are found by the model it starts --from.",
)
@click.option("--labels", type=click.IntRange(min=1), metavar="N", help="Use only N labels of each folder.")
@click.option(
    "--suggest",
    type=click.IntRange(min=1),
    metavar="N",
    help="Then name N images of the folder without a label that are worth one: where the views disagree.",
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), metavar="M", help="Time budget of all but the export."
)
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Steps, to the one; the first used up counts.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="64; with few labels 32.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="0.001; with few labels 0.0008.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, metavar="N")
@click.option(
    "--recipe",
    multiple=True,
    metavar="STEP=X",
    help="A step of a sliding training and how much of it, such as joined=0.2 (docs/networks.md).",
)
@takes(TrainCommand)
def train(sources: tuple[str, ...], out: Path, options: TrainCommand) -> int:
    """Train a model on folders or designs, from scratch or --from another.

    A source may carry a weight, NAME:WEIGHT: how often it is drawn from, relative to the others.

    Folders of at most 2,000 labelled images in all, --from a sliding model, are few labels: cross-validation finds how
    long to train, drawn images are replayed, and ten minutes are enough. Cross-validation has half of the minutes, or
    a sixth of the steps for each of its three folds.

    Loading, building, cross-validation and validation are within --minutes. The export is not: calibration, ONNX, the
    comparison with Keras and the int8 network take about a minute more on two cores.

    A model learns the characters of its labels, of any script. --from another, it keeps those that it knows, and adds
    the new ones.

    The same command resumes an interrupted training. Without --minutes and --steps: half an hour; with few labels ten
    minutes, and three times what is left for the last training where cross-validation still rises at its end.
    """
    from captcha_solver.models.bundle import load_bundle
    from captcha_solver.training.recipes.recipe import parse_recipe
    from captcha_solver.training.recipes.suggest import suggest
    from captcha_solver.training.run import TrainOptions, TrainRequest, run
    from captcha_solver.training.sources import parse_source

    for source in map(parse_source, sources):
        if source.is_folder:
            warn_each([f"{source.spec}: {note}" for note in unread(Path(source.spec))], kind="note")
    asked = TrainOptions(
        minutes=options.minutes,
        max_steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        workers=options.workers,
        recipe=parse_recipe(options.recipe) if options.recipe else None,
    )
    request = TrainRequest(
        sources,
        out,
        options.route,
        options.start_from,
        options.labels,
        asked,
        network=options.network,
        teacher=options.teacher,
        charset=options.charset,
        answer=options.answer,
    )
    if options.suggest is not None and (len(sources) != 1 or not parse_source(sources[0]).is_folder):
        raise OptionError("expected one folder to suggest images of, received other sources")
    path = run(request)
    click.echo(f"bundle written to {path}")
    if options.suggest is not None:
        names = suggest(Path(parse_source(sources[0]).spec), load_bundle(path), options.suggest)
        click.echo("label next:\n" + "\n".join(names))
    return DONE


@dataclass(frozen=True, slots=True)
class AdaptCommand:
    """How to adapt, as the command line has it."""

    start_from: str
    minutes: float
    rounds: int
    seed: int
    workers: int
    infer: bool


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option("--from", "start_from", default="sliding", show_default=True, metavar="NAME|PATH", help="What to adapt.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="BUNDLE")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="M",
    help="For all trainings together.",
)
@click.option("--rounds", type=click.IntRange(1, 10), default=3, show_default=True, metavar="N", help="At most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, metavar="N")
@click.option("--infer", is_flag=True, help="Infer length and characters of the texts from the model's own answers.")
@takes(AdaptCommand)
def adapt(folder: Path, out: Path, options: AdaptCommand) -> int:
    """Adapt a model to a design from images without labels (a labels.csv is not looked at).

    What all views of an image are read as becomes its label; the model learns those, and reads the others anew. Rounds
    go on while the views of a held-out fifth agree more often. Where nothing gets better, nothing is written.

    The same command resumes an interrupted one.
    """
    from captcha_solver.models.bundle import load_bundle
    from captcha_solver.recognizers import bundle_path
    from captcha_solver.training.recipes.adapt import AdaptSettings
    from captcha_solver.training.recipes.adapt import adapt as adapted

    how = AdaptSettings(options.minutes, options.rounds, options.seed, options.workers, options.infer)
    start = load_bundle(bundle_path(options.start_from))
    adapted(folder, out, start, how, lambda text: complain(text, kind="note"))
    click.echo(f"bundle written to {out}")
    return DONE


@click.command()
def designs() -> int:
    """List the built-in designs."""
    from captcha_solver.designs.load import builtin_designs, load_design

    loaded = {name: load_design(path) for name, path in builtin_designs().items()}
    show_table(("design", "what it is"), [(name, design.summary) for name, design in loaded.items()])
    return DONE


@click.command()
def models() -> int:
    """List the shipped models."""
    from captcha_solver.models.bundle import load_bundle, shipped_bundles

    bundles = {name: load_bundle(path) for name, path in shipped_bundles().items()}
    rows = [
        (name, bundle.kind, shown(bundle.charset.symbols), bundle.sha256[:12], str(bundle.path))
        for name, bundle in bundles.items()
    ]
    show_table(("model", "route", "charset", "sha256", "folder"), rows)
    return DONE


@click.command()
@click.option("--runtime", type=click.Choice([AUTO, *RUNTIMES]), default=AUTO, show_default=True)
def doctor(runtime: str) -> int:
    """Show what is installed, what each model is read with and why, and whether the shipped data is whole."""
    from captcha_solver.cli.doctor import examine

    checks = examine(runtime)
    rows = [("ok" if check.holds else "WRONG", check.name, check.found) for check in checks]
    show_table(("", "what", "found"), rows)
    wrong = [check.name for check in checks if not check.holds]
    click.echo(f"does not hold: {', '.join(wrong)}" if wrong else "all holds")
    return NOT_ALL if wrong else DONE


def _label(design: Design, text: str) -> str:
    """What a drawn image is labelled with: of a sum, perhaps its result."""
    sums = design.lettering.sums
    return text if sums is None or sums.label != "result" else answer_of(text, "result") or text


def _drawn(design: Design, count: int, seed: int, done: Callable[[int], None]) -> Iterator[Sample]:
    """Image i is the same however many are drawn."""
    from captcha_solver.designs.drawing.draw import draw_run

    digits = max(5, len(str(count - 1)))
    for index, drawing in zip(range(count), draw_run(design, seed), strict=False):
        yield Sample(f"{index:0{digits}}", encode_png(drawing.image), _label(design, drawing.text), design.name, seed)
        done(1)
