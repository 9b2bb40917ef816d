"""Runs a training as the command line asks for it, by its route.

Tested in ``tests/training/test_loop.py``.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from captcha_solver.arithmetic.expressions import parse_answer
from captcha_solver.charset import parse_charset, spelt
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import OptionError
from captcha_solver.models.bundle import MANIFEST, Bundle, load_bundle, shipped_bundles
from captcha_solver.models.save import amend_bundle
from captcha_solver.training.checkpoint import FOLDER
from captcha_solver.training.loop import train
from captcha_solver.training.recipes.recipe import Recipe
from captcha_solver.training.task import TrainSettings

DEFAULTS = TrainSettings(minutes=30.0)
ENDLESS = 10**9
FIRST_SHARE = 0.25  # of the budget, for the model that finds the sums
USUAL_MINUTES = 10.0
READING = ("sliding", "segmented")  # the routes that read texts


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Those of ``TrainSettings`` that can be asked for; None: as the route has them."""

    minutes: float | None = None
    max_steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    workers: int | None = None
    patience: int | None = None
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to train: folders, or designs by name or path; ``labels`` limits how many of a folder are used.

    ``network`` and ``teacher`` are the sliding route's; a teacher is a larger model to learn from as well. ``charset``:
    the characters of the texts, as ``parse_charset`` takes them; without it those of labels and designs. ``answer``:
    ``result`` where labels may be the results of the sums in the images.
    """

    sources: tuple[str, ...]
    out: Path
    route: str
    start_from: str | None
    labels: int | None
    options: TrainOptions
    network: str | None = None
    teacher: str | None = None
    charset: str | None = None
    answer: str | None = None


def run(request: TrainRequest) -> Path:
    """Train, or resume a training that was interrupted; the bundle's folder."""
    if request.route not in TASKS:
        raise OptionError(f"expected a route out of {', '.join(TASKS)}, received {request.route!r}")
    if not request.sources:
        raise OptionError("expected a folder or a design to train on, received none")
    if request.labels is not None and request.labels < 1:
        raise OptionError(f"expected labels above 0, received {request.labels}")
    if request.route != "sliding" and request.options.recipe is not None:
        raise OptionError(f"expected a recipe for the route sliding alone, received one for {request.route}")
    if request.route not in READING and request.charset is not None:
        raise OptionError(
            f"expected a charset for the routes {' and '.join(READING)}, received one for {request.route}"
        )
    if request.answer is not None and request.route != "sliding":
        raise OptionError(f"expected an answer for the route sliding alone, received one for {request.route}")
    start = None if request.start_from is None else _bundle(request.start_from)
    bundle = TASKS[request.route](request, start)
    if request.answer is not None:  # the images with their sums, and the model that found them
        shutil.rmtree(request.out / FOLDER, ignore_errors=True)
    if request.charset is not None:
        bundle = amend_bundle(bundle, alphabet=parse_charset(request.charset).symbols)
    return bundle.path


def _bundle(name: str) -> Bundle:
    return load_bundle(shipped_bundles().get(name, Path(name)))


def settings_for(options: TrainOptions, own: TrainSettings = DEFAULTS) -> TrainSettings:
    """What was asked for, over the route's ``own`` settings.

    Steps that were asked for are all taken: no default of minutes ends them, and no patience, unless asked for too.
    """
    given = {each.name: value for each in fields(options) if (value := getattr(options, each.name)) is not None}
    if options.max_steps is not None:
        own = replace(own, max_steps=options.max_steps, minutes=None, patience=ENDLESS)
    return replace(own, **given)


def _digits(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.digits import digits_task, fit_threshold

    if len(request.sources) != 1:
        raise OptionError(f"expected one folder of digits, received {len(request.sources)} sources")
    settings = settings_for(request.options)
    task = digits_task(Path(request.sources[0]), batch=settings.batch, workers=settings.workers)
    return fit_threshold(task, train(task, request.out, settings, start_from=start))


def _glyphs(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.glyphs import GlyphTask

    settings = settings_for(request.options)
    task = GlyphTask.from_sources(
        request.sources,
        labels=request.labels,
        batch=settings.batch,
        workers=settings.workers,
        start=start,
        charset=request.charset,
    )
    return train(task, request.out, settings, start_from=start)


def _sliding(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.recipes.few import FEW_SETTINGS, LONGER, finetune, is_few
    from captcha_solver.training.sources import parse_source
    from captcha_solver.training.tasks.distil import DistilTask
    from captcha_solver.training.tasks.sliding import SlidingTask

    if parse_answer(request.answer) == "result":
        request = with_sums(request, start)
    few = start is not None and is_few([parse_source(each) for each in request.sources], request.labels)
    settings = settings_for(request.options, FEW_SETTINGS if few else DEFAULTS)
    teacher = None if request.teacher is None else _bundle(request.teacher)
    task = SlidingTask.from_sources(
        request.sources,
        labels=request.labels,
        batch=settings.batch,
        workers=settings.workers,
        start=start,
        charset=spelt(teacher.charset.symbols) if teacher and request.charset is None else request.charset,
        network=request.network,
        recipe=settings.recipe,
    )
    if teacher is not None:
        if settings.recipe.in_torch:
            raise OptionError(f"a teacher takes the place of {', '.join(settings.recipe.in_torch)}: leave one out")
        given = {field.name: getattr(task, field.name) for field in fields(task)}
        return train(DistilTask(**given, teacher=teacher), request.out, settings, start_from=start)
    if few and start is not None:
        asked = request.options.minutes is not None or request.options.max_steps is not None
        return finetune(task, request.out, settings, start, longer=1.0 if asked else LONGER)
    return train(task, request.out, settings, start_from=start)


def with_sums(request: TrainRequest, start: Bundle | None) -> TrainRequest:
    """The same training on folders whose labels are the sums themselves, found from their results.

    A quarter of the budget is for a first model, of the sums that ``start`` reads surely: it then reads all of them.
    """
    from captcha_solver.training.recipes.sums import LIKELY, SURE, written_out

    if start is None:
        raise OptionError("learning from results needs a model that reads the sums: train --from one")
    folder = writable_folder(request.out) / FOLDER
    first = folder / "first"
    own = _shorter(request.options, FIRST_SHARE)
    sources = written_out(request.sources, start, folder / "sure", (SURE, request.labels))
    early = replace(request, sources=sources, out=first, options=own, answer=None, labels=None)
    reader = load_bundle(first) if (first / MANIFEST).is_file() else TASKS[request.route](early, start)
    sources = written_out(request.sources, reader, folder / "all", (LIKELY, request.labels))
    rest = _shorter(request.options, 1 - FIRST_SHARE)
    return replace(request, sources=sources, options=rest, answer=None, labels=None)


def _shorter(options: TrainOptions, share: float) -> TrainOptions:
    """A share of the budget; of the usual one where none is asked for."""
    if options.minutes is None and options.max_steps is None:
        return replace(options, minutes=share * USUAL_MINUTES)
    return replace(
        options,
        minutes=None if options.minutes is None else share * options.minutes,
        max_steps=None if options.max_steps is None else max(1, round(share * options.max_steps)),
    )


def _locator(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.locator import LOCATOR_SETTINGS, LocatorTask, finish_locator

    settings = settings_for(request.options, LOCATOR_SETTINGS)
    task = LocatorTask.from_sources(request.sources, batch=settings.batch, workers=settings.workers)
    return train(task, request.out, settings, start_from=start, end=partial(finish_locator, task))


TASKS: dict[str, Callable[[TrainRequest, Bundle | None], Bundle]] = {
    "sliding": _sliding,
    "segmented": _glyphs,
    "digits": _digits,
    "locator": _locator,
}
